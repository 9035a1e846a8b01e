"""What `fsdp` and `fsdp_config` mean, and what cannot be meant."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelry_trainer import TrainingArguments
from modelry_trainer.distributed.options import Sharding, sharding_of
from modelry_trainer.errors import ArgumentsError


@pytest.mark.parametrize(
    ("fsdp", "config", "sharding"),
    [
        (None, None, None),
        (False, {}, None),
        ("", None, None),
        (True, None, Sharding()),
        ("true", None, Sharding()),
        ("full_shard auto_wrap", None, Sharding()),
        (["shard_grad_op", "offload"], None, Sharding(reshard_after_forward=False, cpu_offload=True)),
        (True, {"fsdp_version": 2, "use_orig_params": True}, Sharding()),
        (True, {"fsdp_cpu_offload": "true"}, Sharding(cpu_offload=True)),
        (True, {"transformer_layer_cls_to_wrap": "Layer"}, Sharding(transformer_layer_cls_to_wrap=("Layer",))),
        (
            True,
            {"auto_wrap_policy": "SIZE_BASED_WRAP", "min_num_params": 10},
            Sharding(auto_wrap_policy="SIZE_BASED_WRAP", min_num_params=10),
        ),
    ],
)
def test_meaning(fsdp: Any, config: Any, sharding: Sharding | None) -> None:
    assert sharding_of(fsdp, config) == sharding


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "fsdp.json"
    path.write_text(json.dumps({"reshard_after_forward": False}))
    sharding = TrainingArguments(fsdp=True, fsdp_config=str(path)).sharding
    assert sharding == Sharding(reshard_after_forward=False)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"fsdp": "hybrid_shard"}, "set parallelism_config"),
        ({"fsdp": "no_shard"}, "leave fsdp out"),
        ({"fsdp": "halves"}, "write True, or full_shard"),
        ({"fsdp_config": {"cpu_offload": True}}, "fsdp_config is given and fsdp is off"),
        ({"fsdp": True, "fsdp_config": {"version": 1}}, "version 1"),
        ({"fsdp": True, "fsdp_config": {"backward_prefetch": "backward_post"}}, "backward_prefetch"),
        ({"fsdp": True, "fsdp_config": {"colour": 1}}, "colour, which nothing reads"),
        ({"fsdp": True, "fsdp_config": {"cpu_offload": 3}}, "write a bool"),
        ({"fsdp": True, "fsdp_config": {"min_num_params": 3}}, "go together"),
        ({"fsdp": True, "fsdp_config": {"state_dict_type": "LOCAL"}}, "SHARDED_STATE_DICT or FULL"),
        ({"fsdp": True, "fp16": True}, "fp16 and fsdp"),
        ({"fsdp": True, "ddp_static_graph": True}, "ddp_static_graph is True and fsdp"),
        ({"fsdp": True, "save_on_each_node": True}, "save_on_each_node and fsdp"),
        ({"fsdp": True, "auto_find_batch_size": True}, "auto_find_batch_size and fsdp"),
        ({"fsdp": True, "fsdp_config": {"activation_checkpointing": True}, "gradient_checkpointing": True}, "one of"),
        ({"parallelism_config": {"tp_size": 2}, "ddp_bucket_cap_mb": 5}, "ddp_bucket_cap_mb is 5 and tp_size"),
        ({"ddp_static_graph": True, "gradient_accumulation_steps": 2}, "ddp_static_graph is True and gradient_acc"),
        ({"ddp_backend": "nccl", "use_cpu": True}, "needs GPUs"),
        ({"ddp_backend": "mpi"}, "ddp_backend is 'mpi'"),
        ({"ddp_timeout": 0}, "ddp_timeout is 0"),
    ],
)
def test_refusals(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentsError, match=words):
        TrainingArguments(**values)
