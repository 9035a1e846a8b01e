"""Products of float32 by oneDNN, where the processor is one for which PyTorch's own choice is the slower.

PyTorch asks MKL for them, whose kernels for other makers' processors leave a part of these unused. On two cores of a
Zen 4 (PyTorch 2.13): 460 rows, (1536, 576): 5.3 to 4.4 ms; one row, (2048, 2048): 1.6 times as fast, since there MKL
has one thread read the weights, 11 GB/s of the 20 that two read.

R rows   I input width   O output width
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function, forward_ad
from torch.nn import functional as F
from torch.utils._python_dispatch import _get_current_dispatch_mode

from modelry.nn.autocast import autocast_dtype
from modelry.nn.processor import has_bfloat16_lanes, has_onednn

LARGE = 1 << 19
"""Weights of a matrix that are read faster than MKL reads them even for one row: (3072, 576), which no cache held, in
300 microseconds instead of 620, (960, 576) in 115 instead of 200."""
FEWEST = 1 << 22
"""Multiplications of a smaller matrix below which the call costs more than it saves."""
ROWS = 16
"""More rows than these are filled up to a multiple: oneDNN writes a program for each new number of rows, in a
millisecond, and keeps a thousand of them, 0.65 MB each. Coarser steps cost more than they save: 197 rows of a ViT are
1.25 times as fast as MKL's when filled up to 208, and 1.16 times when filled up to 224."""


def takes_float32(x: Tensor, weight: Tensor) -> bool:
    """Whether x W^T is a product for oneDNN: of plain float32 tensors on such a CPU, and large enough.

    What is compiled, traced, transformed, differentiated forward or watched operation by operation stays PyTorch's.

    Args:
        x: (..., I).
        weight: (O, I).
    """
    if weight.dtype is not torch.float32 or x.dtype is not torch.float32 or torch.compiler.is_compiling():
        return False  # first: a traced program that looked at the number of rows would be bound to it
    if weight.numel() < LARGE and x.numel() * weight.shape[0] < FEWEST:
        return False
    if not (x.is_cpu and has_bfloat16_lanes() and has_onednn()):
        return False
    plain = type(x) in (Tensor, nn.Parameter) and type(weight) in (Tensor, nn.Parameter)
    return plain and not _is_watched() and autocast_dtype("cpu") is None


def _is_watched() -> bool:
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    traced = torch._C._get_tracing_state() is not None
    return transformed or traced or forward_ad._current_level >= 0 or _get_current_dispatch_mode() is not None


def float32_product(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + b, of tensors that `takes_float32`. The gradient of x is oneDNN's product too.

    Args:
        x: (..., I).
        weight: (O, I).
        bias: (O,) or None.

    Returns:
        (..., O).
    """
    if torch.is_grad_enabled():
        return _Product.apply(x, weight, bias)  # type: ignore[no-any-return]  # torch's is not annotated
    return _multiplied(x, weight, bias)


def _multiplied(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    rows = x.numel() // x.shape[-1]
    uneven = rows > ROWS and rows % ROWS
    filled = F.pad(x.reshape(rows, -1), (0, 0, 0, ROWS - uneven)) if uneven else x
    made: Tensor = torch.ops.mkldnn._linear_pointwise(filled, weight, bias, "none", [], "")
    return made[:rows].view(*x.shape[:-1], -1) if uneven else made


class _Product(Function):
    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _multiplied(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        x, weight, _ = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        for_x, for_weight, for_bias = ctx.needs_input_grad
        rows, errors = x.reshape(-1, weight.shape[1]), gradient.reshape(-1, weight.shape[0])  # (R, I), (R, O)
        of_x: Tensor | None = None
        if for_x:  # where grad is enabled, gradients of gradients are wanted
            of_x = (errors @ weight if torch.is_grad_enabled() else _multiplied(errors, weight.t())).view_as(x)
        of_weight = errors.t() @ rows if for_weight else None  # MKL is as good at this one
        return of_x, of_weight, errors.sum(0) if for_bias else None
