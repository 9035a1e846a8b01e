"""What a layer does to each row alone, done to some rows at a time, so that what lies between them stays small.

R rows   D width   F width inside
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_modules

MOST_BYTES = 32 << 20
"""Of what lies between. Larger blocks the C library gives back to the system at once, and each new one then costs a
page fault for every 4 KiB: gelu of (3152, 3072) in float32, two cores: 4 milliseconds in memory that is there, 16 in
memory that is new. A whole ViT-B/16 on 16 images: 3.1 and 2.7 seconds; Swin-T: 1.24 and 1.12."""
BYTES_OF_PIECE = 16 << 20


def in_pieces(work: Callable[[Tensor], Tensor], x: Tensor, inner: int, *modules: nn.Module) -> Tensor:
    """work(x).

    Without gradients on the CPU, a few rows at a time where there are many, unless somebody listens to the modules.

    Args:
        work: (R, ..., D) to (R, ..., O); no row of it reads another.
        x: (..., D).
        inner: F, the widest of what the work makes on the way.
        modules: that the work calls.

    Returns:
        (..., O).
    """
    if not x.is_cpu or torch.is_grad_enabled() or _is_traced():
        return work(x)
    size = x.numel() // x.shape[-1] * inner * x.element_size()
    if size <= MOST_BYTES or not _are_alone(modules):
        return work(x)
    rows = x.reshape(-1, x.shape[-1])
    pieces = [work(piece) for piece in rows.chunk(-(-size // BYTES_OF_PIECE))]
    return torch.cat(pieces).view(*x.shape[:-1], -1)


def _is_traced() -> bool:
    """Asked before a size is: a traced program that looked at the number of rows would be bound to it."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


def _are_alone(modules: tuple[nn.Module, ...]) -> bool:
    if torch_modules._global_forward_hooks or torch_modules._global_forward_pre_hooks:
        return False
    parts = (part for module in modules for part in module.modules())
    return not any(
        part.training or part._forward_hooks or part._forward_pre_hooks or "forward" in part.__dict__ for part in parts
    )
