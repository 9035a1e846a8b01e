"""A tiny Llama in float32, and checkpoints of it as GPTQ's tools write them, element by element.

I input width   O output width   Q groups
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry_testing.quantizing.float_model import folder, ids, logits
from modelry_testing.quantizing.written import Written, words_of_32_bits

__all__ = ["folder", "ids", "logits", "write"]


@pytest.fixture
def write(folder: Path, tmp_path: Path) -> Callable[..., Written]:
    """Write the float model as GPTQ's tools do, each weight rounded to nearest."""

    def to_folder(
        *,
        bits: int = 4,
        group_size: int = 32,
        sym: bool = True,
        version: int = 1,
        act_order: bool = False,
        **said: object,
    ) -> Written:
        out = Written(tmp_path / "gptq")
        out.folder.mkdir()
        config = json.loads((folder / "config.json").read_text())
        settings = {"bits": bits, "group_size": group_size, "sym": sym, "desc_act": act_order, "quant_method": "gptq"}
        if version == 2:
            settings["checkpoint_format"] = "gptq_v2"
        config["quantization_config"] = {**settings, **said}
        (out.folder / "config.json").write_text(json.dumps(config))
        stored = {}
        for name, tensor in load_file(folder / "model.safetensors").items():
            layer, _, part = name.rpartition(".")
            if not layer.endswith("_proj"):
                stored[name] = tensor
            elif part == "bias":
                stored[name] = tensor.half()
            else:
                tensors, weight = quantized(tensor, bits, group_size, sym=sym, less=2 - version, act_order=act_order)
                stored.update({f"{layer}.{key}": one for key, one in tensors.items()})
                out.weights[layer] = weight
        save_file(stored, out.folder / "model.safetensors", metadata={"format": "pt"})
        return out

    return to_folder


def quantized(
    weight: torch.Tensor, bits: int, group_size: int, *, sym: bool, less: int, act_order: bool
) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """The four tensors of a layer by the published layout, and (O, I) (integer - zero point) * scale."""
    outputs, inputs = weight.shape
    size = inputs if group_size == -1 else group_size
    fields, highest = 32 // bits, 2**bits - 1
    places = torch.arange(inputs)
    if act_order:
        places = torch.randperm(inputs, generator=torch.Generator().manual_seed(inputs + outputs))
    group_of = (places // size).int()
    words = [[0] * outputs for _ in range(inputs // fields)]
    zero_words = [[0] * (outputs // fields) for _ in range(inputs // size)]
    scales = torch.empty(inputs // size, outputs, dtype=torch.float16)
    expected = [[0.0] * inputs for _ in range(outputs)]
    members = [(group_of == group).nonzero().flatten().tolist() for group in range(inputs // size)]
    for row, values in enumerate(weight.tolist()):
        for group in range(inputs // size):
            low = min(0.0, *(values[column] for column in members[group]))
            high = max(0.0, *(values[column] for column in members[group]))
            span = 2 * max(-low, high) if sym else high - low
            scales[group, row] = span / highest
            scale = float(scales[group, row])
            zero = 2 ** (bits - 1) if sym else min(max(round(-low / scale), less), highest)
            zero_words[group][row // fields] |= (zero - less) << (bits * (row % fields))
            for column in members[group]:
                integer = min(max(round(values[column] / scale) + zero, 0), highest)
                words[column // fields][row] |= integer << (bits * (column % fields))
                expected[row][column] = (integer - zero) * scale  # 16 bits at most: exact in float32
    tensors = {
        "qweight": words_of_32_bits(words),
        "qzeros": words_of_32_bits(zero_words),
        "scales": scales,
        "g_idx": group_of,
    }
    return tensors, torch.tensor(expected)
