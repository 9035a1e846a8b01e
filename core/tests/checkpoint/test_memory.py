"""Loading takes hardly more memory than the checkpoint has, and less when nothing has to change."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modelry.checkpoint.safetensors_writing import write_safetensors

WIDTH, LAYERS = 1280, 16
CONFIG = {
    "model_type": "note", "vocab_size": 64, "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
    "num_attention_heads": 2, "tie_word_embeddings": True,
}  # fmt: skip

CODE = """
import gc, sys
from kernel_toys import FAMILIES
from modelry import AutoModelForCausalLM, Cache
from modelry_registry import get_registry, use_registry

def memory(key):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith(key))

with use_registry(get_registry().extended(*FAMILIES, distribution="kernel-toys")):
    import modelry.checkpoint.loading, torch
    torch.set_num_threads(1)
    before = memory("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # forget the peak so far
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1] if len(sys.argv) > 1 else FOLDER, dtype=DTYPE)
    loaded = memory("VmHWM") - before
    total = sum(parameter.sum().item() for parameter in model.parameters())  # touches every page
    print(loaded, memory("VmHWM") - before)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """105 MB of float32, written without holding it twice."""
    folder = tmp_path_factory.mktemp("large")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    matrix, vector = torch.ones(WIDTH, WIDTH), torch.ones(WIDTH)
    tensors = {
        "model.embed_tokens.weight": torch.ones(64, WIDTH),
        "model.norm.weight": vector,
        "model.norm.bias": vector,
    }
    for layer in range(LAYERS):
        tensors[f"model.layers.{layer}.dense.weight"] = matrix
        tensors[f"model.layers.{layer}.dense.bias"] = vector
    write_safetensors(folder / "model.safetensors", tensors)
    return folder


@pytest.mark.parametrize("dtype", ["auto", "bfloat16"])
def test_peak_memory(folder: Path, run_fresh: Callable[..., str], dtype: str) -> None:
    size = (folder / "model.safetensors").stat().st_size
    code = CODE.replace("FOLDER", repr(str(folder))).replace("DTYPE", repr(dtype))
    loaded, touched = map(int, run_fresh(code).split())
    if dtype == "auto":
        assert loaded < 0.15 * size, "mapped, and not read yet"
        assert touched < 1.15 * size
    else:
        assert loaded < 0.75 * size, "half the size, and one float32 tensor at a time"
