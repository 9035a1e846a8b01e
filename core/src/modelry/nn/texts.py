"""Texts one behind the other in a row: which token is of which text, in the ways that callers say it.

B batch   T new positions   S all positions, cached ones included   N texts
"""

from typing import Any

import torch
from torch import Tensor

from modelry.nn.exporting import is_exporting

LENGTHS = ("cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k", "seq_idx")
"""What the ecosystem's collators give besides positions."""


def numbered_texts(
    attention_mask: Tensor | None,
    position_ids: Tensor | None,
    said: dict[str, Any] | None = None,
    *,
    shape: tuple[int, int],
    seen: int = 0,
    device: torch.device,
) -> Tensor | None:
    """The attention mask that keeps the texts of a row apart; see `modelry.nn.masks.causal_mask`.

    Where texts end is what `cu_seq_lens_q` says; else what numbers in the mask say; else, where there is no mask and
    no cache, positions that do not go on by one begin a text. An exported program takes one text a row.

    Args:
        attention_mask: (B, S), 0 for padding, or None.
        position_ids: (B, T); those of another form say nothing of texts.
        said: further arguments of forward, from which those of LENGTHS are taken out. cu_seq_lens_q and cu_seq_lens_k
            (N + 1,) are where the texts of the one row begin, and at last its end.
        shape: (B, T).
        seen: positions in the cache.

    Returns:
        (B, S) numbers of texts from 1 on, 0 for padding; the mask that was given where there is nothing to add.

    Raises:
        ValueError: the lengths do not fit the row, or there is a cache or more than one row.
    """
    taken = {name: said.pop(name, None) for name in LENGTHS} if said else {}
    ends = taken.get("cu_seq_lens_q")
    if ends is not None:
        _check_ends(ends, taken["cu_seq_lens_k"], shape=shape, seen=seen)
        places = torch.arange(shape[1], device=device)
        numbers = torch.searchsorted(ends.to(device)[1:].long(), places, right=True)[None] + 1
        if attention_mask is not None and attention_mask.dim() == 2:
            numbers = numbers * attention_mask.bool()
        return numbers
    if attention_mask is not None or position_ids is None or seen or shape[1] == 1 or position_ids.dim() != 2:
        return attention_mask
    if is_exporting():
        return None
    begins = position_ids.diff(dim=1) != 1
    if not torch.compiler.is_compiling() and not bool(begins.any()):
        return None
    numbers = torch.nn.functional.pad(begins.long().cumsum(1), (1, 0)) + 1
    return numbers.expand(shape).to(device)


def holds_several(attention_mask: Tensor | None) -> bool:
    """Whether a mask (B, S) has numbers of several texts.

    Compiled programs cannot look at values: there, whole numbers are always taken for numbers of texts.
    """
    if attention_mask is None or attention_mask.dtype is torch.bool or is_exporting():
        return False
    if torch.compiler.is_compiling():
        return not attention_mask.is_floating_point()
    return bool((attention_mask > 1).any())


def _check_ends(ends: Tensor, of_keys: Tensor | None, *, shape: tuple[int, int], seen: int) -> None:
    rows, new = shape
    if rows != 1 or seen:
        raise ValueError(
            f"cu_seq_lens_q divides one row of new positions, and there are {rows} rows and {seen} positions in the "
            "cache: leave it out, and number the texts in attention_mask"
        )
    if torch.compiler.is_compiling():
        return
    if int(ends[-1]) != new or int(ends[0]) != 0:
        raise ValueError(f"cu_seq_lens_q goes from {int(ends[0])} to {int(ends[-1])}, and the row has {new} positions")
    if of_keys is not None and not torch.equal(ends, of_keys):
        raise ValueError(
            "cu_seq_lens_k differs from cu_seq_lens_q: texts of one row are read whole, so both are the same"
        )
