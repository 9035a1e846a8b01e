"""Real tokens of a batch, text behind text without padding: which they are, and where each text ends.

B batch   T new positions   W keys offered   N real queries   M real keys   R texts of all rows
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.nn.sight import Sight


class Runs(NamedTuple):
    """What flash attention has to know of a pass, for all of its layers."""

    queries: Tensor | None
    """(N,) places in (B T,); None where all are real and in order."""
    keys: Tensor | None
    """(M,) places in (B W,); None likewise."""
    query_ends: Tensor
    """(R + 1,) int32, 0 first."""
    key_ends: Tensor
    """(R + 1,) int32, 0 first."""
    longest_query: int
    longest_key: int


def runs_of(sight: Sight, *, rows: int, new: int, name: str) -> Runs:
    """Lay out the real tokens of a batch. Waits for the device a few times.

    Args:
        sight: with texts.
        rows: B.
        new: T.
        name: of the backend, for messages.

    Raises:
        ValueError: padding in the middle of a text whose window it would shift.
    """
    columns = sight.columns()
    assert columns is not None, "without texts all rows are of one length"
    columns = columns[:, : sight.end - sight.first].expand(rows, -1)  # (B, W) without a tail
    numbers = columns.long() if sight.several else columns.ne(0).long()
    most = int(numbers.max()) + 1 if sight.several else 2
    keys, names = _texts(numbers, most=most)
    found, lengths = torch.unique_consecutive(names, return_counts=True)
    if not sight.causal:  # every row has real keys, and all its queries see them
        ends = torch.arange(rows + 1, device=columns.device, dtype=torch.int32) * new
        return Runs(None, _unless_all(keys, columns.numel()), ends, _ends(lengths), new, int(lengths.max()))
    queries, query_names = _texts(numbers[:, sight.seen - sight.first :], most=most)
    asked = torch.bincount(torch.searchsorted(found, query_names), minlength=found.numel())
    if sight.window is not None and sight.window < columns.shape[1]:
        _refuse_holes(keys % columns.shape[1], lengths, window=sight.window, name=name)
    return Runs(
        _unless_all(queries, rows * new),
        _unless_all(keys, columns.numel()),
        _ends(asked),
        _ends(lengths),
        int(asked.max()),
        int(lengths.max()),
    )


def _texts(numbers: Tensor, *, most: int) -> tuple[Tensor, Tensor]:
    """Real tokens by row and text.

    Args:
        numbers: (B, W), 0 for padding.
        most: above all of them.

    Returns:
        Their places in (B W,), and the names of their texts, which rise.
    """
    flat = numbers.flatten()
    places = flat.nonzero().squeeze(1)
    names, order = (places // numbers.shape[1] * most + flat[places]).sort(stable=True)  # a text may lie in pieces
    return places[order], names


def _unless_all(places: Tensor, count: int) -> Tensor | None:
    in_order = places.numel() == count and torch.equal(places, torch.arange(count, device=places.device))
    return None if in_order else places


def _ends(counts: Tensor) -> Tensor:
    return F.pad(counts.cumsum(0), (1, 0)).int()


def _refuse_holes(slots: Tensor, counts: Tensor, *, window: int, name: str) -> None:
    behind = counts.cumsum(0)
    if bool((slots[behind - 1] - slots[behind - counts] + 1 != counts).any()):
        raise ValueError(
            f"attention_mask has padding in the middle of a text, which {name} leaves out, so that its window of "
            f"{window} positions would reach too far: pad on the left or on the right, or call "
            "model.set_attn_implementation('sdpa')"
        )
