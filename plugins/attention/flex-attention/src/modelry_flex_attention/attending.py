"""Attention by torch.nn.attention.flex_attention. On an accelerator it is compiled, once for the process.

B batch   T new positions   W keys offered   H query heads   K key/value heads   E head width
Paper: https://arxiv.org/abs/2412.05496.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import flex_attention as flex

from modelry.nn.attention import in_one_dtype
from modelry.nn.eager import eager_attention
from modelry.nn.masks import Mask
from modelry.nn.sdpa import sdpa_attention
from modelry_flex_attention.blocks import blocks_of
from modelry_flex_attention.compiling import compiled

NAME = "flex_attention"
WITHOUT_BACKWARD = ("cpu", "mps")
"""Devices on which torch's flex attention has no gradient, and is compiled for few masks (2.13)."""
NARROWEST = 16
"""The narrowest head that its kernels for accelerators compute."""

ChangeScore = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def flex_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Mask, *, scale: float, dropout: float = 0.0, softcap: float = 0.0
) -> Tensor:
    """softmax(q k^T scale + mask) v; see `modelry.nn.attention.Attend`.

    Where torch's function has no gradient and one is needed, or cannot be compiled, the kernel's own functions compute
    the same.

    Args:
        q: (B, H, T, E).
        k: (B, K, W, E).
        v: (B, K, W, E).

    Returns:
        (B, H, T, E).

    Raises:
        ValueError: weights or dropout are wanted, which this function does not have.
    """
    if mask.weights is not None:
        raise ValueError(f"{NAME} has no attention weights to give: call model.set_attn_implementation('eager') first")
    if dropout:
        raise ValueError(
            f"{NAME} cannot drop attention weights, and the model drops {dropout:g} of them in training: set "
            "attention_dropout=0 (attn_pdrop, attention_probs_dropout_prob) in the configuration, or use sdpa"
        )
    q, k, v = in_one_dtype(q, k, v)
    device = q.device.type
    if _refused(q, k, v, mask):
        if softcap:
            return eager_attention(q, k, v, mask, scale=scale, softcap=softcap)
        return sdpa_attention(q, k, v, mask, scale=scale)
    if device in WITHOUT_BACKWARD:
        q, k, v = q.detach(), k.detach(), v.detach()  # it looks at what they require, whether gradients are on or not
    rows, heads, new, _ = q.shape
    width = k.shape[2]
    blocks = mask.once((NAME, rows, new, width), lambda: blocks_of(mask, rows=rows, new=new, width=width, like=q))
    said: dict[str, Any] = {"score_mod": _change(mask.bias, softcap), "block_mask": blocks, "scale": scale}
    said["enable_gqa"] = heads != k.shape[1]
    if torch.compiler.is_compiling():
        mixed: Any = flex.flex_attention(q, k, v, **said)
    elif device == "cpu":
        # What it makes at once is run as it is: tracing it first takes 0.3 s for each mask, and compiling 3 s.
        with torch.compiler.set_stance("force_eager"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="flex_attention called without torch.compile")
            mixed = flex.flex_attention(q, k, v, **said)
    else:
        mixed = _compiled()(q, k, v, **said)
    out: Tensor = mixed
    return out


def _refused(q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> bool:
    """Whether torch's function has no gradient, or no kernel, for this."""
    if q.device.type not in WITHOUT_BACKWARD:
        return min(q.shape[3], v.shape[3]) < NARROWEST
    held = [q, k, v] if mask.bias is None else [q, k, v, mask.bias]
    needs_gradients = torch.is_grad_enabled() and any(one.requires_grad for one in held)
    return needs_gradients or torch.compiler.is_compiling()  # compilers there refuse masks made in the same program


@cache
def _compiled() -> Callable[..., Any]:
    return compiled(flex.flex_attention)


def _change(bias: Tensor | None, softcap: float) -> ChangeScore | None:
    """What is done to each score: cap it, then add the bias (B or 1, H, T, W)."""
    if bias is None and not softcap:
        return None
    alone = bias is not None and bias.shape[0] == 1
    # A number that is not always the same becomes a compiled program's input, which these kernels cannot read: torch
    # then computes uncompiled. A word stays what it is.
    cap = str(softcap) if softcap else ""

    def change(score: Tensor, row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        if cap:
            score = float(cap) * torch.tanh(score / float(cap))
        if bias is not None:
            score = score + (bias[0, head, query, key] if alone else bias[row, head, query, key])
        return score

    return change
