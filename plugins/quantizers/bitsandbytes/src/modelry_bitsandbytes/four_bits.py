"""A linear layer in NF4 or FP4: two numbers of a table of 16 in a byte, scaled in blocks (https://arxiv.org/abs/2305.14314).

I input width   O output width   N weights: I times O
"""

import copy
import json
from collections.abc import Mapping
from typing import Any

import bitsandbytes
import torch
from bitsandbytes import functional as kernels
from torch import Tensor
from torch.nn import functional as F

from modelry.errors import QuantizationError
from modelry.packed.stored_linear import StoredLinear, StoredTensors
from modelry_bitsandbytes.devices import on_its_device
from modelry_bitsandbytes.sizes import refuse_other

BLOCK = 64
"""Weights that share a scale, as published files have it."""
NESTED_BLOCK = 256
"""Scales that share a scale, where they are packed themselves."""
STATE = "weight.quant_state.bitsandbytes__"
"""And the table's name: JSON with shape, dtype and blocks."""
STATE_BYTES = 256
"""Its length in what we write: filled up with spaces, which JSON allows, so that it is known before it is written."""


def kept(outputs: int, inputs: int, *, table: str, double: bool) -> StoredTensors:
    """The tensors that `pack` makes."""
    weights = outputs * inputs
    blocks = -(-weights // BLOCK)
    tensors: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
        "weight": ((-(-weights // 2), 1), torch.uint8),
        "weight.absmax": ((blocks,), torch.uint8 if double else torch.float32),
        "weight.quant_map": ((16,), torch.float32),
    }
    if double:
        tensors["weight.nested_absmax"] = ((-(-blocks // NESTED_BLOCK),), torch.float32)
        tensors["weight.nested_quant_map"] = ((256,), torch.float32)
    tensors[f"{STATE}{table}"] = ((STATE_BYTES,), torch.uint8)
    return tensors


def pack(weight: Tensor, *, table: str, double: bool, name: str) -> Mapping[str, Tensor]:
    """(O, I) floats to the tensors of `kept`.

    Raises:
        QuantizationError: a value is infinite or no number.
    """
    if not torch.isfinite(weight).all():
        raise QuantizationError(f"{name} has a value that is infinite or no number, and has no 4-bit form")
    packed, state = on_its_device(
        weight.device,
        lambda: kernels.quantize_4bit(
            weight.contiguous(), blocksize=BLOCK, compress_statistics=double, quant_type=table
        ),
    )
    parts = {f"weight.{name}": tensor for name, tensor in state.as_dict(packed=True).items()}
    said = bytes(parts[f"{STATE}{table}"].cpu().tolist()).ljust(STATE_BYTES)
    parts[f"{STATE}{table}"] = torch.tensor(list(said), dtype=torch.uint8, device=weight.device)
    return {"weight": packed, **parts}


class FourBitLinear(StoredLinear):
    """NF4 or FP4.

    Args:
        compute_dtype: of products; None: of their input.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        tensors: StoredTensors,
        bias: Tensor | None,
        compute_dtype: torch.dtype | None,
    ) -> None:
        super().__init__(in_features, out_features, tensors=tensors, bias=bias)
        self.compute_dtype = compute_dtype
        self._state: Any = None

    def multiply(self, x: Tensor) -> Tensor:
        compute = x.to(self.compute_dtype or x.dtype)
        if self._blocks_cross_rows():
            return F.linear(compute, self.dequantized(compute.dtype)).to(x.dtype)
        y: Tensor = on_its_device(
            x.device,
            lambda: bitsandbytes.matmul_4bit(compute, self.integers.t(), quant_state=self.state()),  # type: ignore[attr-defined]  # it has no __all__
        )
        return y.to(x.dtype)

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight."""
        state = self.state()
        if self._blocks_cross_rows():
            state = copy.copy(state)
            state.shape = torch.Size((1, self.out_features * self.in_features))
        weight: Tensor = on_its_device(self.integers.device, lambda: kernels.dequantize_4bit(self.integers, state))
        return weight.reshape(self.out_features, self.in_features).to(dtype)

    def _blocks_cross_rows(self) -> bool:
        """Whether the package's CPU kernels would read wrong scales: they begin a block anew in each row, which neither
        its packing nor its other kernels do (seen in bitsandbytes 0.50.2)."""
        return self.integers.device.type == "cpu" and self.in_features % self.state().blocksize != 0

    def state(self) -> Any:
        """bitsandbytes' QuantState, made of the tensors when it is first asked for.

        Raises:
            QuantizationError: what the file says of the layer is not this layer.
        """
        if self._state is None:
            size = -(-self.out_features * self.in_features // 2)
            refuse_other("weight", self._buffers.get("weight"), size, torch.uint8)
            parts = {name.removeprefix("weight."): one for name, one in self._buffers.items() if name != "weight"}
            try:
                state = kernels.QuantState.from_dict(parts, device=self.integers.device)
            except (ValueError, KeyError, TypeError, AssertionError) as error:
                raise QuantizationError(f"a 4-bit layer's quant_state is damaged: {error}") from error
            if tuple(state.shape) != (self.out_features, self.in_features):
                raise QuantizationError(
                    f"a 4-bit layer says that it is {tuple(state.shape)}, "
                    f"where the model has {self.out_features, self.in_features}"
                )
            self._hold_against(state)
            self._state = state
        return self._state

    def _hold_against(self, state: Any) -> None:
        """The kernels read as much memory as the sizes say, whatever there is.

        Raises:
            QuantizationError: a tensor is not as large as the others say, or of another dtype.
        """
        weights, inner = self.out_features * self.in_features, state.state2 if state.nested else None
        if not all(isinstance(one, int) and one > 0 for one in (state.blocksize, inner.blocksize if inner else 1)):
            raise QuantizationError("a 4-bit layer's quant_state is damaged: a block has no size")
        blocks = -(-weights // state.blocksize)
        wanted = {
            "weight.absmax": (state.absmax, blocks, torch.uint8 if inner else torch.float32),
            "weight.quant_map": (state.code, 16, torch.float32),
        }
        if inner:
            wanted["weight.nested_absmax"] = (inner.absmax, -(-blocks // inner.blocksize), torch.float32)
            wanted["weight.nested_quant_map"] = (inner.code, 256, torch.float32)
        for name, (tensor, size, dtype) in wanted.items():
            refuse_other(name, tensor, size, dtype)

    def said(self) -> dict[str, Any]:
        """What the file says of the layer in JSON."""
        (text,) = (one for name, one in self._buffers.items() if name.startswith(STATE) and one is not None)
        found: dict[str, Any] = json.loads(bytes(text.tolist()))
        return found

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self._state = None
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        self._state = None
        super()._load_from_state_dict(*arguments, **named)

    def extra_repr(self) -> str:
        """Sizes, and that it cannot be trained."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, 4 bits, not trainable"
