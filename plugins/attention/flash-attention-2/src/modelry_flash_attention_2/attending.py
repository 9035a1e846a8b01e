"""Attention by a flash attention package. Padding is left out: what is computed is the real tokens, text by text.

B batch   T new positions   W keys offered   H query heads   K key/value heads   E head width
N real queries   M real keys
Papers: https://arxiv.org/abs/2307.08691 (2), https://arxiv.org/abs/2407.08608 (3).
"""

from typing import Any, final

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.nn.attention import in_one_dtype
from modelry.nn.masks import Mask
from modelry_flash_attention_2.kernel import Kernel
from modelry_flash_attention_2.runs import Runs, runs_of


@final
class FlashAttention:
    """An attention function; see `modelry.nn.attention.Attend`.

    Args:
        kernel: what computes.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel

    def __call__(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Mask, *, scale: float, dropout: float = 0.0, softcap: float = 0.0
    ) -> Tensor:
        """softmax(q k^T scale + mask) v; zeros at padding.

        Args:
            q: (B, H, T, E).
            k: (B, K, W, E).
            v: (B, K, W, E).

        Returns:
            (B, H, T, E).

        Raises:
            ValueError: weights, or a mask or tensors that the package cannot do.
        """
        self._refuse(mask, dropout)
        q, k, v = in_one_dtype(q, k, v)
        self.kernel.refuse(q)
        rows, heads, new, size = q.shape
        sight = mask.sight
        self.kernel.refuse_cuts(window=sight and sight.window, softcap=softcap)
        said: dict[str, Any] = {"softmax_scale": scale, "causal": mask.causal}
        if dropout:
            said["dropout_p"] = dropout
        if softcap:
            said["softcap"] = softcap
        if torch.are_deterministic_algorithms_enabled():
            said["deterministic"] = True  # gradients are otherwise added up in any order
        if sight is not None:
            said["causal"] = sight.causal
            if sight.window is not None:
                said["window_size"] = (sight.window - 1, 0)  # how far to the left and to the right, itself not counted
            used = sight.end - sight.first  # both align the last query with the last key: the tail has to go
            k, v = k[:, :, :used], v[:, :, :used]
        if missing := -size % self.kernel.step:
            q, k, v = (F.pad(one, (0, missing)) for one in (q, k, v))
        q, k, v = (one.transpose(1, 2) for one in (q, k, v))  # (B, T, H, E), (B, W, K, E)
        if sight is None or sight.texts is None:
            return _first(self.kernel.rectangular(q, k, v, **said))[..., :size].transpose(1, 2)
        name = self.kernel.name
        runs: Runs = mask.once((name, rows, new), lambda: runs_of(sight, rows=rows, new=new, name=name))
        mixed = _first(
            self.kernel.ragged(
                _taken(q, runs.queries),
                _taken(k, runs.keys),
                _taken(v, runs.keys),
                cu_seqlens_q=runs.query_ends,
                cu_seqlens_k=runs.key_ends,
                max_seqlen_q=runs.longest_query,
                max_seqlen_k=runs.longest_key,
                **said,
            )
        )[..., :size]  # (N, H, E)
        if runs.queries is not None:
            mixed = mixed.new_zeros(rows * new, heads, size).index_copy(0, runs.queries, mixed)
        return mixed.reshape(rows, new, heads, size).transpose(1, 2)

    def _refuse(self, mask: Mask, dropout: float) -> None:
        name, instead = self.kernel.name, "call model.set_attn_implementation"
        if mask.weights is not None:
            raise ValueError(f"{name} has no attention weights to give: {instead}('eager') first")
        if mask.bias is not None:
            raise ValueError(f"{name} cannot add relative positions to the scores: {instead}('sdpa') first")
        if mask.sight is None and mask.allowed is not None:
            raise ValueError(
                f"{name} knows causality, windows, padding and texts in one row, and this mask is a pattern of its "
                f"own, of shape {tuple(mask.allowed.shape)}: {instead}('sdpa') first"
            )
        if dropout and not self.kernel.drops:
            raise ValueError(
                f"{name} cannot drop attention weights, and the model drops {dropout:g} of them in training: set "
                "attention_dropout=0 in the configuration, or use sdpa"
            )


def _taken(x: Tensor, places: Tensor | None) -> Tensor:
    """(B, W, K, E) to the real ones of (B W, K, E)."""
    flat = x.flatten(0, 1)
    return flat if places is None else flat.index_select(0, places)


def _first(found: Any) -> Tensor:
    """Some releases give the masses of the softmax too."""
    mixed: Tensor = found[0] if isinstance(found, tuple) else found
    return mixed


flash_attention_2 = FlashAttention(Kernel(name="flash_attention_2", module="flash_attn", drops=True))
flash_attention_3 = FlashAttention(Kernel(name="flash_attention_3", module="flash_attn_interface", drops=False, step=8))
