"""Keeping blocks packed never holds the float model: memory grows by the packed model and about one layer."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gguf import GGMLQuantizationType as Type

LOAD = r"""
import re, sys
from pathlib import Path
import torch
from modelry import AutoModelForCausalLM

def kib(name):
    return int(re.search(name + r":\s+(\d+)", Path("/proc/self/status").read_text())[1])

torch.set_num_threads(1)
AutoModelForCausalLM.from_pretrained(sys.argv[1], quantization="gguf")  # what is imported and set up once
before = kib("VmRSS")
model = AutoModelForCausalLM.from_pretrained(sys.argv[2], quantization="gguf")
packed = sum(one.numel() * one.element_size() for one in (*model.parameters(), *model.buffers()))
print(kib("VmHWM") * 1024 - before * 1024, packed)
"""


@pytest.mark.parametrize("kind", [Type.Q4_1, Type.Q8_0], ids=lambda kind: kind.name)
def test_peak_memory(tmp_path: Path, write_model: Callable[..., Any], kind: Type) -> None:
    small, large = tmp_path / "small.gguf", tmp_path / "large.gguf"
    write_model(small, kind=kind)
    sizes = {"hidden_size": 512, "intermediate_size": 1408, "num_attention_heads": 8, "num_key_value_heads": 8}
    write_model(large, kind=kind, num_hidden_layers=16, **sizes)
    command = [sys.executable, "-c", LOAD, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown, packed = map(int, done.stdout.split())
    weights = 4 * 512 * 512 + 3 * 512 * 1408
    layer, float_size = 4 * weights, 16 * 4 * weights
    assert grown < packed + 2 * layer, f"{grown:,} bytes for a packed model of {packed:,}"
    assert packed + 2 * layer < 0.6 * float_size
