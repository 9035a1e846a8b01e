"""Two processes that share one model's parameters, whose texts end at different steps: neither waits for ever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch.distributed

PROGRAM = """
import datetime, sys, torch, torch.distributed as dist
from torch.distributed.fsdp import fully_shard
from torch.distributed.device_mesh import init_device_mesh
from modelry_testing.toys.configuration import ToyConfig
from modelry_testing.toys.modeling import ToyForCausalLM

rank, store = int(sys.argv[1]), sys.argv[2]
wait = datetime.timedelta(seconds=40)
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2, timeout=wait)
torch.manual_seed(0)
model = ToyForCausalLM(ToyConfig(vocab_size=64, num_hidden_layers=1)).eval()
ids, options = torch.tensor([[0, 5, 6], [1, 2, 3]]), {"max_new_tokens": 2 + 4 * rank, "eos_token_id": None}
options |= {"attention_mask": (ids != 0).long(), "pad_token_id": 0}
alone = model.generate(ids, **options)
fully_shard(model.base_model.layers[0], mesh=(mesh := init_device_mesh("cpu", (2,))))
fully_shard(model, mesh=mesh)
assert torch.equal(model.generate(ids, **options), alone)
model(ids, labels=ids).loss.backward()  # what was gathered for a text is fit for training
record = model.generate(ids, **options, return_dict_in_generate=True)
assert torch.equal(record.sequences, alone) and record.past_key_values.seen == alone.shape[1] - 1
assert torch.equal(model.generate(ids, **options, synced_gpus=True), alone)
dist.barrier()
dist.destroy_process_group()
"""


@pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch has no processes")
def test_each_goes_on_until_all_are_through(tmp_path: Path) -> None:
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM]
    started = [
        subprocess.Popen([*command, str(rank), str(tmp_path / "store")], env=surroundings, stderr=subprocess.PIPE)
        for rank in range(2)
    ]
    for one in started:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said.decode()[-2000:]
