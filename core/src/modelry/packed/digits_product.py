"""Few rows times a great many 8-bit weights, on CPUs that multiply tiles of integers (AMX).

PyTorch's product of floats and 8-bit weights turns every weight into a float first, which takes longer than reading it.
Here the input becomes integers instead: each value two digits of 8 bits, so that it keeps 15 bits. The digits are two
rows of one product, whose sums are exact.

M rows of the input   I input width   O output width
"""

from collections.abc import Callable
from functools import cache
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

DIGIT = 127
"""The largest of a digit."""
BELOW = 2 * DIGIT
"""Of the second digit's units to one of the first: what is left behind the first is at most a half."""
MOST_ROWS = 8
"""Two digits each fill a tile."""

Product = Callable[[Tensor], Tensor]
_MADE: "WeakKeyDictionary[nn.Module, tuple[Tensor, Tensor, int, Product]]" = WeakKeyDictionary()
"""A layer's integers and scales, the versions of both, and the product made of them, which holds the integers once more
as the kernel lays them."""


def digits_product(layer: nn.Module, integers: Tensor, scale: Tensor) -> Product | None:
    """x W^T with W = integers * scale, as a function of x.

    Args:
        layer: whose weight it is; as long as it lives, it is kept laid out for the kernel.
        integers: (O, I) int8.
        scale: (O,).

    Returns:
        (M, I) to (M, O) in the same dtype, for M up to MOST_ROWS; None where the CPU has no tiles.
    """
    if not integers.is_cpu or integers.is_inference() or scale.is_inference() or not has_tiles():
        return None
    version = integers._version + scale._version
    made = _MADE.get(layer)
    if made is None or made[0] is not integers or made[1] is not scale or made[2] != version:
        product = _product(_laid(integers), scale.float())
        made = _MADE[layer] = (integers, scale, version, product)
    return made[3]


def digits(x: Tensor) -> tuple[Tensor, Tensor]:
    """(M, I) as (2 M, I) int8, first digits and then second ones, and the unit of each row's first digits, (M, 1)."""
    wide = x.float()
    unit = wide.abs().amax(dim=-1, keepdim=True).clamp_(min=torch.finfo(torch.float32).tiny * BELOW).div_(DIGIT)
    scaled = wide / unit
    first = scaled.round()
    return torch.cat((first, scaled.sub_(first).mul_(BELOW).round_())).to(torch.int8), unit


@cache
def has_tiles() -> bool:
    """Whether this CPU, and this PyTorch, compute the product right."""
    if not torch.cpu._is_amx_tile_supported():
        return False
    x, integers = torch.linspace(-3.0, 5.0, 64).view(2, 32), torch.arange(-127, 129, 2).remainder(111).view(4, 32)
    scale = torch.tensor([1.0, 0.5, 0.25, 2.0])
    expected = x @ (integers * scale[:, None]).t()
    try:
        found = _product(_laid(integers.to(torch.int8)), scale)(x)
    except RuntimeError:  # a PyTorch without it
        return False
    return bool((found - expected).norm() < 1e-3 * expected.norm())


def _laid(integers: Tensor) -> Tensor:
    laid: Tensor = torch.ops.onednn.qlinear_prepack(integers, None)
    return laid


def _product(laid: Tensor, scale: Tensor) -> Product:
    kernel, zeros = torch.ops.onednn.qlinear_pointwise.default, torch.zeros(scale.shape[0], dtype=torch.long)

    def product(x: Tensor) -> Tensor:
        whole, unit = digits(x)
        sums = kernel(whole, 1.0, 0, laid, scale, zeros, None, 1.0, 0, torch.float32, "none", [], "")  # (2 M, O)
        first, second = sums.chunk(2)
        found: Tensor = first.add_(second, alpha=1 / BELOW).mul_(unit).to(x.dtype)
        return found

    return product
