"""Packing while loading never holds the float model: memory grows by the packed model and about one layer."""

import subprocess
import sys
from pathlib import Path

from modelry import AutoConfig, AutoModelForCausalLM

LOAD = r"""
import re, sys
from pathlib import Path
import torch, warnings
from modelry import AutoModelForCausalLM

def kib(name):
    return int(re.search(name + r":\s+(\d+)", Path("/proc/self/status").read_text())[1])

warnings.simplefilter("ignore")
torch.set_num_threads(1)
SCHEME = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 4, "group_size": 32}}},
}
AutoModelForCausalLM.from_pretrained(sys.argv[1], quantization=SCHEME)  # what is imported and set up once
before = kib("VmRSS")
model = AutoModelForCausalLM.from_pretrained(sys.argv[2], quantization=SCHEME)
packed = sum(one.numel() * one.element_size() for one in (*model.parameters(), *model.buffers()))
print(kib("VmHWM") * 1024 - before * 1024, packed)
"""


def test_peak_memory(folder: Path, tmp_path: Path) -> None:
    sizes = {"vocab_size": 96, "hidden_size": 512, "intermediate_size": 1408, "num_attention_heads": 8}
    config = AutoConfig.for_model("llama", **sizes, num_hidden_layers=10, tie_word_embeddings=True)
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "large")
    float_size = (tmp_path / "large" / "model.safetensors").stat().st_size
    command = [sys.executable, "-c", LOAD, str(folder), str(tmp_path / "large")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown, packed = map(int, done.stdout.split())
    layer = 4 * (4 * 512 * 512 + 3 * 512 * 1408)
    assert grown < packed + 2 * layer, f"{grown:,} bytes for a packed model of {packed:,}"
    assert packed + 2 * layer < 0.6 * float_size
