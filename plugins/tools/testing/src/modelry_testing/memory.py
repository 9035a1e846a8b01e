"""How much memory loading takes, measured in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from modelry_testing.errors import ContractBroken
from modelry_testing.random_models import save_random

_LOAD = r"""
import json, re, sys, warnings
from pathlib import Path
import torch
from modelry import AutoModelForCausalLM

def kib(name):
    return int(re.search(name + r":\s+(\d+)", Path("/proc/self/status").read_text())[1])

warnings.simplefilter("ignore")
torch.set_num_threads(1)
options = json.loads(sys.argv[3])
AutoModelForCausalLM.from_pretrained(sys.argv[1], **options)  # what is imported and set up once
before = kib("VmRSS")
model = AutoModelForCausalLM.from_pretrained(sys.argv[2], **options)
held = sum(one.numel() * one.element_size() for one in (*model.parameters(), *model.buffers()))
print(kib("VmHWM") * 1024 - before * 1024, held)
"""
_DEEP: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 10,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "initializer_range": 0.02,
    "tie_word_embeddings": True,
}


class Growth(NamedTuple):
    """Bytes by which the peak of a process grew while it loaded a model, and bytes of the model."""

    grown: int
    held: int


class Deep(NamedTuple):
    """A float32 checkpoint of many layers, its size, and that of one of its layers, in bytes."""

    folder: Path
    size: int
    layer: int


def growth_while_loading(small: Path, large: Path, **options: Any) -> Growth:
    """Load `small`, then `large`, each with `options` of from_pretrained that JSON can say. Linux only.

    Raises:
        ContractBroken: loading failed; with what was said.
    """
    command = [sys.executable, "-c", _LOAD, str(small), str(large), json.dumps(options)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ContractBroken(f"{large} cannot be loaded: {done.stderr}")
    grown, held = map(int, done.stdout.split())
    return Growth(grown, held)


def save_deep(folder: Path, model_type: str) -> Deep:
    """Write a random model whose layers are most of it into `folder`."""
    save_random(folder, model_type, **_DEEP)
    layer = 4 * (4 * 512 * 512 + 3 * 512 * 1408)
    return Deep(folder, (folder / "model.safetensors").stat().st_size, layer)


def packs_layer_by_layer(small: Path, large: Path, *, size: int, layer: int, **options: Any) -> None:
    """Loading takes the packed model and two float layers, and never the float model.

    Args:
        size: of the float model that `large` stands for, in bytes.
        layer: of one of its layers, in bytes.
        options: of from_pretrained.

    Raises:
        ContractBroken: it takes more, or these sizes would show nothing.
    """
    grown, held = growth_while_loading(small, large, **options)
    if held + 2 * layer >= 0.6 * size:
        raise ContractBroken(f"a model of {held:,} bytes is too near to a float one of {size:,} to tell them apart")
    if grown >= held + 2 * layer:
        raise ContractBroken(f"memory grows by {grown:,} bytes while a packed model of {held:,} is loaded")
