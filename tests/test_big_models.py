"""Models larger than the memory they may take: the same tokens from disk, and no more memory; packed ones too."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoModelForCausalLM
from modelry.checkpoint.placement import published_place
from modelry.checkpoint.planning import make_plan
from modelry.errors import GenerationError
from modelry_testing.random_models import SMALL, save_random

DEEP = {"hidden_size": 384, "intermediate_size": 1056, "num_hidden_layers": 9, "initializer_range": 0.02}
"""65 MB in float32, 7 MB a layer."""
PROMPT = torch.tensor([[3, 5, 7, 11]])

GENERATE = """
import json, re, sys, warnings
from pathlib import Path
import torch
from modelry import AutoModelForCausalLM

def kib(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def tokens(folder, **options):
    model = AutoModelForCausalLM.from_pretrained(folder, **options)
    ids = torch.tensor([[3, 5, 7, 11]])
    return model.generate(ids, max_new_tokens=6, do_sample=False).tolist(), getattr(model, "hf_device_map", {})

warnings.simplefilter("ignore")
torch.set_num_threads(1)
small, large, allowed = sys.argv[1], sys.argv[2], int(sys.argv[3])
tokens(small, device_map="disk")  # what is imported and set up once
before = kib("VmRSS")
Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
found, placed = tokens(large, device_map="auto", max_memory={"cpu": allowed})
grown = kib("VmHWM") - before
expected, _ = tokens(large)
print(json.dumps({"grown": grown * 1024, "same": found == expected, "placed": placed}))
"""


def test_three_times_the_memory_allowed(tmp_path: Path) -> None:
    save_random(tmp_path / "small", "llama", **SMALL)
    save_random(tmp_path / "large", "llama", **SMALL | DEEP)
    allowed = (tmp_path / "large" / "model.safetensors").stat().st_size // 3
    command = [sys.executable, "-c", GENERATE, str(tmp_path / "small"), str(tmp_path / "large"), str(allowed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["same"]
    assert list(said["placed"].values()).count("disk") >= 7
    assert said["grown"] < allowed, f"{said['grown']:,} of {allowed:,} bytes"


@pytest.mark.parametrize(
    "quantization",
    ["int8", "int4", {"quant_method": "gguf", "weight_type": "Q8_0"}, {"quant_method": "gguf", "weight_type": "Q4_0"}],
    ids=["int8", "int4", "gguf-q8_0", "gguf-q4_0"],
)
def test_packed_models_from_disk(tmp_path: Path, quantization: Any) -> None:
    save_random(tmp_path / "float", "llama", **SMALL | {"num_hidden_layers": 6})
    in_memory = AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=quantization)
    expected = in_memory(PROMPT).logits
    allowed = {"cpu": sum(one.nbytes for one in in_memory.state_dict().values()) * 7 // 10}
    options = {"device_map": "auto", "max_memory": allowed, "offload_folder": tmp_path / "disk"}
    packing = AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=quantization, **options)
    in_memory.save_pretrained(tmp_path / "packed")
    stored = AutoModelForCausalLM.from_pretrained(tmp_path / "packed", **options)
    for model in (packing, stored):
        assert set(model.hf_device_map.values()) == {"cpu", "disk"}
        assert model(PROMPT).logits.equal(expected)
        assert model.generate(PROMPT, max_new_tokens=4).shape == (1, 8)
    plan = make_plan(tmp_path / "packed", memory={torch.device("cpu"): allowed["cpu"]})
    assert {path: published_place(place) for path, place in plan.device_map().items()} == stored.hf_device_map


@pytest.mark.parametrize("quantization", [{"quant_method": "gguf", "weight_type": "Q4_0"}, {"quant_method": "gptq"}])
def test_scales_of_another_dtype_keep_their_bits_on_disk(tmp_path: Path, quantization: Any) -> None:
    save_random(tmp_path / "float", "llama", **SMALL | {"num_hidden_layers": 1, "attention_bias": True})
    AutoModelForCausalLM.from_pretrained(tmp_path / "float", quantization=quantization).save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    wide = {name: one.float() * 1.001 for name, one in tensors.items() if "scale" in name}
    save_file(tensors | wide, tmp_path / "model.safetensors")
    in_memory = AutoModelForCausalLM.from_pretrained(tmp_path, dtype="bfloat16").state_dict()
    options = {"device_map": "disk", "offload_folder": tmp_path / "disk"}
    on_disk = AutoModelForCausalLM.from_pretrained(tmp_path, dtype="bfloat16", **options).state_dict()
    assert {name: one.dtype for name, one in on_disk.items()} == {name: one.dtype for name, one in in_memory.items()}
    assert all(one.equal(in_memory[name]) for name, one in on_disk.items())


def test_steps_from_disk_are_not_compiled(tmp_path: Path) -> None:
    save_random(tmp_path, "llama", **SMALL)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, device_map="disk")
    with pytest.raises(GenerationError, match="parts of this one are on disk"):
        model.generate(PROMPT, max_new_tokens=2, compile=True)
