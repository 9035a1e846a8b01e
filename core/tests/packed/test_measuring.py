"""What packing costs and saves, seen while it happens."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from kernel_toys import NoteConfig, NoteForCausalLM, ToyParameters
from torch import Tensor, nn

from modelry import AutoModelForCausalLM
from modelry.packed.int8_linear import Int8Linear
from modelry.packed.int8_packing import pack_rows
from modelry.packed.measuring import Measured
from modelry.packed.stored_linear import StoredLinear
from modelry.quantization import Quantizer

pytestmark = pytest.mark.usefixtures("registry")


class Rows(Quantizer):
    """The kernel's 8 bits."""

    method = "toy8"

    def swap(self, model: nn.Module) -> None:
        for layer in model.model.layers:
            layer.dense = Int8Linear(8, 8, bias=layer.dense.bias)

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        if not name.endswith(".weight"):
            return None
        integers, scale = pack_rows(tensor, name=name)
        return {name: integers, f"{name}_scale": scale}


class Doubled(StoredLinear):
    """Twice the weight it is made of, under a name with a dot."""

    def multiply(self, x: Tensor) -> Tensor:
        return x @ self.dequantized(x.dtype).t()

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        half = self._buffers["weight.half"]
        assert half is not None
        return half.to(dtype) * 2


class Doubling(Quantizer):
    """Packs into dotted names."""

    method = "toy8"

    def swap(self, model: nn.Module) -> None:
        tensors = {"weight.half": ((8, 8), torch.float16)}
        for layer in model.model.layers:
            layer.dense = Doubled(8, 8, tensors=tensors, bias=layer.dense.bias)

    def pack(self, name: str, tensor: Tensor) -> Mapping[str, Tensor] | None:
        return {f"{name}.half": tensor.half()} if name.endswith(".weight") else None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    NoteForCausalLM.from_config(NoteConfig()).save_pretrained(tmp_path)
    return tmp_path


def test_bytes_and_errors(folder: Path) -> None:
    told: list[int] = []
    measured = Measured(Rows(ToyParameters()), on_begin=told.append, on_packed=told.append)
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=measured)
    plain = AutoModelForCausalLM.from_pretrained(folder)
    assert told == [512, 256, 256]
    assert [one.layer for one in measured.seen] == ["model.layers.0.dense", "model.layers.1.dense"]
    for one in measured.seen:
        weight = plain.get_submodule(one.layer).weight.detach()
        packed = model.get_submodule(one.layer).dequantized()
        assert (one.bytes_before, one.bytes_after) == (256, 64 + 16)
        assert one.squared == pytest.approx(float(weight.square().sum()))
        assert one.squared_error == pytest.approx(float((packed - weight).square().sum()), rel=1e-3)


def test_names_with_dots(folder: Path) -> None:
    measured = Measured(Doubling(ToyParameters()), on_begin=print, on_packed=print)
    model = AutoModelForCausalLM.from_pretrained(folder, quantization=measured)
    assert "model.layers.0.dense.weight.half" in model.state_dict()
    for one in measured.seen:
        assert one.squared_error == pytest.approx(one.squared, rel=1e-2), "twice the weight is once too much"
