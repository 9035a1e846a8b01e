"""Positions of tokens.

B batch   T new positions   S all positions, cached ones included
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.texts import holds_several


def first_rows(table: nn.Embedding, count: int | None = None, *, device: torch.device) -> Tensor:
    """The first rows of a table, or all, (count, D). It is called for them, since that is what brings its weights where
    they are elsewhere until they are needed."""
    found: Tensor = table(torch.arange(table.num_embeddings if count is None else count, device=device))
    return found


def count_positions(attention_mask: Tensor | None, *, new: int, seen: int = 0, device: torch.device) -> Tensor:
    """Positions of the new tokens, counted from the first real one of each row, or of each text in a row.

    Args:
        attention_mask: (B, S), 1 for real tokens and 0 for padding, or a number for each text of a row; None where
            nothing is padded.
        new: T.
        seen: positions in the cache; S = seen + T.

    Returns:
        (B, T) int64, or (1, T) without a mask. Padding gets position 0 or that of the last real token before it.
    """
    if attention_mask is None or attention_mask.dim() != 2:
        return torch.arange(seen, seen + new, device=device)[None]
    real = attention_mask != 0
    count = real.long().cumsum(-1)
    if holds_several(attention_mask):
        columns = torch.arange(real.shape[1], device=device)
        latest = attention_mask.gather(1, (real * columns).cummax(-1).values)  # text of the last real token so far
        begins = F.pad(latest.diff(dim=1) != 0, (1, 0), value=True) & real
        count = count - (begins * (count - 1)).cummax(-1).values
    return (count - 1).clamp(min=0)[:, -new:]


def check_length(end: int, *, limit: int, what: str = "the input") -> None:
    """Refuse more positions than a table of learned ones holds.

    Args:
        end: positions that the last new token needs, cached ones included.
        limit: rows of the table (`max_position_embeddings`).
        what: said in the message.

    Raises:
        ValueError: end > limit.
    """
    if end > limit:
        raise ValueError(f"{what} has {end} positions and the model {limit}: truncate it, or cut it into windows")


def row_positions(
    position_ids: Tensor | None, *, new: int, seen: int = 0, limit: int, device: torch.device, what: str = "the input"
) -> Tensor:
    """Rows of a table of learned positions: those given, or counted from the first column, padding included.

    Args:
        position_ids: (B, T), or None.
        new: T.
        seen: positions in the cache.
        limit: rows of the table.
        what: said in the message.

    Returns:
        (B, T) int64, or (1, T) where none are given.

    Raises:
        ValueError: the table has no such row. On an accelerator given positions are not looked at.
    """
    if position_ids is None:
        check_length(seen + new, limit=limit, what=what)
        return torch.arange(seen, seen + new, device=device)[None]
    if position_ids.is_cpu and position_ids.numel() and not torch.compiler.is_compiling():
        check_length(int(position_ids.max()) + 1, limit=limit, what=what)
    return position_ids


def padded_positions(attention_mask: Tensor | None, *, new: int, seen: int = 0, device: torch.device) -> Tensor:
    """Positions that count from each row's first real token, and on through padding behind it.

    Args:
        attention_mask: (B, S), 1 for real tokens and 0 for padding; None where nothing is padded.
        new: T.
        seen: positions in the cache; S = seen + T.

    Returns:
        (B, T) int64, or (1, T) without a mask.
    """
    columns = torch.arange(seen, seen + new, device=device)[None]
    if attention_mask is None or attention_mask.dim() != 2:
        return columns
    leading = (attention_mask.long().cumsum(-1) == 0).sum(-1, keepdim=True)
    return (columns - leading).clamp(min=0)
