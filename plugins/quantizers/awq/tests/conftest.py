"""A tiny Llama in float32, and checkpoints of it as AWQ's tools write them, element by element.

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
    """Write the float model as AWQ's tools do, each weight rounded to nearest."""

    def to_folder(
        *,
        bits: int = 4,
        group_size: int = 32,
        zero_point: bool = True,
        with_zeros: bool = True,
        version: str = "gemm",
        keep: tuple[str, ...] = (),
        **said: object,
    ) -> Written:
        out = Written(tmp_path / "awq")
        out.folder.mkdir()
        config = json.loads((folder / "config.json").read_text())
        config["quantization_config"] = {
            "quant_method": "awq",
            "bits": bits,
            "group_size": group_size,
            "zero_point": zero_point,
            "version": version,
            "modules_to_not_convert": list(keep) or None,
            **said,
        }
        (out.folder / "config.json").write_text(json.dumps(config))
        stored = {}
        for name, tensor in load_file(folder / "model.safetensors").items():
            layer, _, part = name.rpartition(".")
            if part != "weight" or not layer.endswith("_proj") or layer.endswith(keep or ("\0",)):
                stored[name] = tensor
                continue
            integers, zeros, scales, out.weights[layer] = rounded(tensor, bits, group_size, zero_point=zero_point)
            pack = gemv if version == "gemv" else gemm
            for key, one in pack(integers, zeros, scales, bits, group_size).items():
                if with_zeros or key != "qzeros":
                    stored[f"{layer}.{key}"] = one
        save_file(stored, out.folder / "model.safetensors", metadata={"format": "pt"})
        return out

    return to_folder


def rounded(
    weight: torch.Tensor, bits: int, group_size: int, *, zero_point: bool
) -> tuple[list[list[int]], list[list[int]], torch.Tensor, torch.Tensor]:
    """(O, I) integers, (O, Q) zero points, (O, Q) scales, and (O, I) (integer - zero point) * scale."""
    outputs, inputs = weight.shape
    size, highest = inputs if group_size == -1 else group_size, 2**bits - 1
    scales = torch.empty(outputs, inputs // size, dtype=torch.float16)
    integers = [[0] * inputs for _ in range(outputs)]
    zeros = [[0] * (inputs // size) for _ in range(outputs)]
    expected = [[0.0] * inputs for _ in range(outputs)]
    for row, values in enumerate(weight.tolist()):
        for group in range(inputs // size):
            columns = range(group * size, (group + 1) * size)
            low, high = min(0.0, *(values[one] for one in columns)), max(0.0, *(values[one] for one in columns))
            scales[row, group] = (high - low if zero_point else 2 * max(high, -low)) / highest
            scale = float(scales[row, group])
            zero = min(max(round(-low / scale), 0), highest) if zero_point else 2 ** (bits - 1)
            zeros[row][group] = zero
            for column in columns:
                integers[row][column] = min(max(round(values[column] / scale) + zero, 0), highest)
                expected[row][column] = (integers[row][column] - zero) * scale  # exact in float32
    return integers, zeros, scales, torch.tensor(expected)


def gemm(
    integers: list[list[int]], zeros: list[list[int]], scales: torch.Tensor, bits: int, group_size: int
) -> dict[str, torch.Tensor]:
    """Along the outputs; of 4 bits a 32-bit integer has the outputs 0, 2, 4, 6, 1, 3, 5, 7 of eight, in this order."""
    place = {4: [0, 2, 4, 6, 1, 3, 5, 7], 8: [0, 2, 1, 3]}[bits]
    outputs, fields = len(integers), 32 // bits

    def along_outputs(rows: list[list[int]]) -> torch.Tensor:
        return words_of_32_bits(
            [
                [sum(rows[first + place[n]][column] << (bits * n) for n in range(fields)) for first in starts]
                for column in range(len(rows[0]))
            ]
        )

    starts = range(0, outputs, fields)
    return {"qweight": along_outputs(integers), "qzeros": along_outputs(zeros), "scales": scales.t().contiguous()}


def gemv(
    integers: list[list[int]], zeros: list[list[int]], scales: torch.Tensor, bits: int, group_size: int
) -> dict[str, torch.Tensor]:
    """Along the inputs in plain order; zero points and scales of a row filled up with 0."""
    groups = len(zeros[0])
    steps = {32: 4, 64: 2, 128: 1, -1: 1}[group_size]
    width = (groups + 8 * steps - 1) // (8 * steps) * steps
    filled = torch.zeros(len(integers), 8 * width, dtype=torch.float16)
    filled[:, :groups] = scales

    def along_inputs(rows: list[list[int]]) -> torch.Tensor:
        return words_of_32_bits(
            [[sum(row[first + n] << (4 * n) for n in range(8)) for first in range(0, len(row), 8)] for row in rows]
        )

    whole = [row + [0] * (8 * width - groups) for row in zeros]
    return {"qweight": along_inputs(integers), "qzeros": along_inputs(whole), "scales": filled}
