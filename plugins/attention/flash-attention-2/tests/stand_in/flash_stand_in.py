"""The two functions of the flash attention packages in plain float mathematics, from what their documentation says.

Queries are (B, T, H, E) or (N, H, E), keys and values have K heads that divide H. Causality and windows are aligned to
the last query and the last key. A query that sees nothing gives zeros.

B batch   T queries   W keys   H query heads   K key/value heads   E head width   N, M tokens of all texts
"""

from typing import Any

import torch
from torch import Tensor

CALLS: list[str] = []
"""What was called, the latest last."""
DETERMINISTIC: list[bool] = []
"""Whether gradients were wanted that are the same each time."""


def attend(
    q: Tensor, k: Tensor, v: Tensor, *, scale: float, causal: bool, window: tuple[int, int], softcap: float, drop: float
) -> Tensor:
    """One text: (T, H, E), (W, K, E), (W, K, E) -> (T, H, E)."""
    new, width = q.shape[0], k.shape[0]
    group = q.shape[1] // k.shape[1]
    k, v = (one.repeat_interleave(group, dim=1) for one in (k, v))
    scores = torch.einsum("qhe,khe->hqk", q, k) * scale
    if softcap > 0:
        scores = softcap * torch.tanh(scores / softcap)
    place = torch.arange(new)[:, None] + width - new
    keys = torch.arange(width)
    left, right = window
    if causal:
        right = 0
    seen = torch.ones(new, width, dtype=torch.bool)
    seen = seen if left < 0 else seen & (keys >= place - left)
    seen = seen if right < 0 else seen & (keys <= place + right)
    weights = scores.masked_fill(~seen, -1e30).softmax(-1) * seen
    if drop:
        weights = torch.nn.functional.dropout(weights, drop)
    return torch.einsum("hqk,khe->qhe", weights, v)


def rectangular(
    q: Tensor, k: Tensor, v: Tensor, scale: float, causal: bool, window: tuple[int, int], softcap: float, drop: float
) -> Tensor:
    assert q.dim() == k.dim() == v.dim() == 4
    assert k.shape == v.shape
    assert (q.shape[0], q.shape[3]) == (k.shape[0], k.shape[3])
    CALLS.append("rectangular")
    said: dict[str, Any] = {"scale": scale, "causal": causal, "window": window, "softcap": softcap, "drop": drop}
    return torch.stack([attend(*row, **said) for row in zip(q, k, v, strict=True)])


def ragged(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    ends: tuple[Tensor, Tensor, int, int],
    scale: float,
    causal: bool,
    window: tuple[int, int],
    softcap: float,
    drop: float,
) -> Tensor:
    assert q.dim() == k.dim() == v.dim() == 3
    query_ends, key_ends, longest_query, longest_key = ends
    assert query_ends.dtype is key_ends.dtype is torch.int32
    assert isinstance(longest_query, int)
    assert isinstance(longest_key, int)
    assert int(query_ends[-1]) == q.shape[0]
    assert int(key_ends[-1]) == k.shape[0] == v.shape[0]
    assert query_ends.shape == key_ends.shape
    assert int(query_ends.diff().max()) == longest_query
    assert int(key_ends.diff().max()) == longest_key
    CALLS.append("ragged")
    said: dict[str, Any] = {"scale": scale, "causal": causal, "window": window, "softcap": softcap, "drop": drop}
    pieces = []
    bounds = zip(query_ends[:-1], query_ends[1:], key_ends[:-1], key_ends[1:], strict=True)
    for begin, end, first, last in bounds:
        pieces.append(attend(q[begin:end], k[first:last], v[first:last], **said))
    return torch.cat(pieces)
