"""A linear layer in LLM.int8: rows of 8-bit integers; inputs with outliers in 16 bits (https://arxiv.org/abs/2208.07339).

I input width   O output width
"""

from collections.abc import Mapping

import bitsandbytes
import torch
from bitsandbytes import functional as kernels
from torch import Tensor

from modelry.errors import QuantizationError
from modelry.packed.stored_linear import StoredLinear, StoredTensors
from modelry_bitsandbytes.devices import on_its_device
from modelry_bitsandbytes.sizes import refuse_other

LARGEST = 127


def kept(outputs: int, inputs: int) -> StoredTensors:
    """The tensors that `pack` makes; published files have them so."""
    return {
        "weight": ((outputs, inputs), torch.int8),
        "SCB": ((outputs,), torch.float32),
        "weight_format": ((), torch.uint8),
    }


def pack(weight: Tensor, *, name: str) -> Mapping[str, Tensor]:
    """(O, I) floats to the tensors of `kept`.

    Raises:
        QuantizationError: a value is beyond float16.
    """
    half = weight.to(torch.float16)
    if not torch.isfinite(half).all():
        raise QuantizationError(f"{name} has a value that is no float16, which LLM.int8 starts from")
    packed, largest, _ = on_its_device(weight.device, lambda: kernels.int8_vectorwise_quant(half))
    rows = torch.zeros((), dtype=torch.uint8, device=weight.device)  # the format: row by row
    return {"weight": packed, "SCB": largest, "weight_format": rows}


class EightBitLinear(StoredLinear):
    """LLM.int8.

    Args:
        threshold: inputs with a larger value are multiplied in 16 bits; 0: none.
    """

    def __init__(
        self, in_features: int, out_features: int, *, tensors: StoredTensors, bias: Tensor | None, threshold: float
    ) -> None:
        super().__init__(in_features, out_features, tensors=tensors, bias=bias)
        self.threshold = threshold

    def hold(self) -> None:
        """See that the file's tensors are those of this layer.

        Raises:
            QuantizationError: one is missing, or of another size or dtype.
        """
        refuse_other("weight", self._buffers.get("weight"), self.out_features * self.in_features, torch.int8)
        refuse_other("SCB", self._buffers.get("SCB"), self.out_features, torch.float32)
        if self.integers.shape != (self.out_features, self.in_features):
            raise QuantizationError(
                f"weight is {tuple(self.integers.shape)} in the checkpoint, and the layer is "
                f"{(self.out_features, self.in_features)}"
            )

    def multiply(self, x: Tensor) -> Tensor:
        state = bitsandbytes.MatmulLtState()  # type: ignore[attr-defined]  # it has no __all__
        state.CB, state.SCB = self.integers, self._buffers["SCB"]
        state.threshold, state.has_fp16_weights, state.is_training = self.threshold, False, self.training
        half = x.reshape(-1, x.shape[-1]).to(torch.float16)  # it would cast itself, and log a warning for each product
        y: Tensor = on_its_device(x.device, lambda: bitsandbytes.matmul(half, self.integers, state=state))  # type: ignore[attr-defined]  # as above
        return y.view(*x.shape[:-1], -1).to(x.dtype)  # of maps, (B, H, W, I), it refuses those with outliers

    def dequantized(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """(O, I) float weight."""
        largest = self._buffers["SCB"]
        assert largest is not None
        return (self.integers * (largest.float() / LARGEST).unsqueeze(1)).to(dtype)

    def extra_repr(self) -> str:
        """Sizes, and that it cannot be trained."""
        return f"{self.in_features}, {self.out_features}, bias={self.bias is not None}, LLM.int8, not trainable"
