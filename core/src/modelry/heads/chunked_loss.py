"""The loss of next tokens straight from hidden states: scores are there for a few positions at a time, never for all.

Scores and their gradients are most of the memory of training a small model with a large vocabulary. Here the gradients
of a chunk are taken as soon as its loss is known, and its scores are let go; positions that do not count are left out.

B batch   T positions   D hidden width   V vocabulary   N = B T   C positions of a chunk
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from modelry.heads.losses import IGNORED, refuse_outside, shifted_labels
from modelry.nn.autocast import autocast_dtype
from modelry.nn.float32_product import ROWS
from modelry.nn.linear import Linear, linear

CHUNK = 31 << 20
"""Bytes of a chunk's scores: the C library then keeps the memory for the next (see `modelry.allocation`)."""
CHUNK_ELSEWHERE = 1 << 29
"""The same on an accelerator, which wants large products."""


def can_be_chunked(head: nn.Module) -> bool:
    """Whether a head is a plain projection that nobody listens to, and its weight is an ordinary tensor."""
    if type(head) not in (Linear, nn.Linear) or "forward" in head.__dict__ or torch.compiler.is_compiling():
        return False
    hooks = (head._forward_hooks, head._forward_pre_hooks, head._backward_hooks, head._backward_pre_hooks)
    return not any(hooks) and type(head.weight) is nn.Parameter and not head.weight.is_meta


def chunked_next_token_loss(
    head: nn.Module, hidden: Tensor, labels: Tensor, *, num_items_in_batch: Tensor | int | None = None
) -> Tensor:
    """`modelry.heads.losses.next_token_loss` of head(hidden), with gradients, in a part of the memory.

    Args:
        head: one that `can_be_chunked`.
        hidden: (B, T, D).
        labels: (B, T), shifted here.

    Raises:
        ValueError: a label is outside the vocabulary, or labels are not (B, T).
    """
    targets = shifted_labels(labels, hidden.shape[:-1]).flatten().to(hidden.device)  # (N,)
    weight: Any = head.weight
    refuse_outside(targets, count=weight.shape[0])
    dtype = autocast_dtype(hidden.device.type) or weight.dtype
    count = targets.ne(IGNORED).sum() if num_items_in_batch is None else num_items_in_batch
    divisor = torch.as_tensor(count)  # of 0 items the loss is no number, and no error
    loss: Tensor = _ChunkedLoss.apply(
        hidden.flatten(0, 1), weight, head.bias, targets, divisor, dtype, torch.is_grad_enabled()
    )
    return loss


class _ChunkedLoss(torch.autograd.Function):
    """Gradients for a loss of 1 are computed on the way forward, and scaled on the way back."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        divisor: Tensor,
        dtype: torch.dtype,
        learns: bool,
    ) -> Tensor:
        """Arguments: (N, D), (V, D), (V,), (N,), a number, the products' dtype, whether gradients are wanted."""
        with torch.autocast(hidden.device.type, enabled=False):
            for_hidden, for_weight, for_bias = (learns and needed for needed in ctx.needs_input_grad[:3])
            wide = torch.promote_types(dtype, torch.float32)
            total = torch.zeros((), device=hidden.device)
            by_hidden = torch.zeros_like(hidden, dtype=wide) if for_hidden else None
            by_weight: Tensor | None = None
            by_bias = torch.zeros_like(bias, dtype=wide) if bias is not None and for_bias else None
            matrix, offset = weight.to(dtype), None if bias is None else bias.to(dtype)
            # What a position counts is multiplied with the small factors; in 16 bits it might vanish there: it waits.
            part = 1 / divisor if dtype is wide else 1.0
            for rows in _chunks(targets, width=weight.shape[0]):
                x, wanted = hidden[rows].to(dtype), targets[rows]  # (C, D), (C,)
                counts, places = wanted.ne(IGNORED), wanted.clamp(min=0)[:, None]
                logs = linear(x, matrix, offset).float().log_softmax(-1)  # (C, V)
                total -= logs.gather(1, places).squeeze(1).masked_fill(~counts, 0.0).sum()
                if not (for_hidden or for_weight or for_bias):
                    continue
                shares = logs.exp_()
                shares.scatter_add_(1, places, shares.new_full(places.shape, -1.0))
                errors, each = shares.to(dtype), (counts * part)[:, None].to(wide)
                if by_hidden is not None:
                    by_hidden[rows] = linear(errors, matrix.t(), None).to(wide) * each
                if for_weight:
                    by_weight = _added(by_weight, errors.t(), (x * each).to(dtype))
                if by_bias is not None:
                    by_bias += (shares * each).sum(0)
            if for_weight and by_weight is None:
                by_weight = torch.zeros_like(weight)
            ctx.gradients = [by_hidden, by_weight, by_bias]
            ctx.input_dtypes = [hidden.dtype, weight.dtype, weight.dtype]
            ctx.factor = 1.0 if dtype is wide else 1 / divisor
            return total / divisor

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.gradients is None:
            raise RuntimeError("the gradients of this loss were taken already: ask the model for its logits too")
        gradients, ctx.gradients = ctx.gradients, None  # whoever accumulates them may then keep them as they are
        factor = scale * ctx.factor
        if not factor.is_cpu or factor.item() != 1.0:
            gradients = [None if one is None else one * factor for one in gradients]
        given = [None if one is None else one.to(dtype) for one, dtype in zip(gradients, ctx.input_dtypes, strict=True)]
        return (*given, None, None, None, None)


def _added(before: Tensor | None, one: Tensor, other: Tensor) -> Tensor:
    """before + one @ other, summed in float32."""
    if before is None:
        return (one @ other).float()
    if other.dtype is torch.float32:
        return before.addmm_(one, other)
    return before.add_(one @ other)


def _chunks(targets: Tensor, *, width: int) -> Iterator[Tensor | slice]:
    """Positions, as many at a time as their scores may take; on the CPU only those that count."""
    size = max((CHUNK if targets.is_cpu else CHUNK_ELSEWHERE) // (4 * width), 1)
    size -= size % ROWS if size > ROWS else 0
    if targets.is_cpu:
        yield from torch.split(targets.ne(IGNORED).nonzero().squeeze(1), size)
        return
    for begin in range(0, targets.shape[0], size):
        yield slice(begin, begin + size)
