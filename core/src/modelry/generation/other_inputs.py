"""Inputs beside a text (pixel values, grids) for rows that were repeated, dropped or put in another order, and for the
part of a text that has not been read.

The former is needed where a model has no cache and reads the whole prompt again. R rows   I pictures of all rows
P columns of a prompt
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from modelry.errors import GenerationError

_NOBODY = -1
"""An id that stands for nothing."""


def inputs_of_rows(model: Any, inputs: Mapping[str, Any], ids: Tensor, rows: Tensor) -> dict[str, Any]:
    """What of the inputs belongs to the rows, in their order.

    A model whose inputs have no row for each text says so itself, in a method of this name.

    Args:
        inputs: of the present rows.
        ids: (R, P) of the present rows.
        rows: (N,) numbers of present rows.
    """
    own = getattr(model, "inputs_of_rows", None)
    if own is not None:
        found: dict[str, Any] = own(inputs, ids, rows)
        return found
    count = ids.shape[0]
    return {
        name: value[rows] if isinstance(value, Tensor) and value.dim() and value.shape[0] == count else value
        for name, value in inputs.items()
    }


def inputs_of_unread(model: Any, inputs: Mapping[str, Any], ids: Tensor, cached: int) -> dict[str, Any]:
    """What of the inputs belongs to the columns that a cache does not hold: pictures of a later question.

    The inputs may be those of the whole conversation, or of its unread part alone. A model that does not say itself
    what belongs to which text gets none of them.

    Args:
        inputs: of the prompt.
        ids: (R, P), the whole conversation.
        cached: how many of the columns are in the cache.
    """
    if not cached or not inputs:
        return dict(inputs)
    if getattr(model, "inputs_of_rows", None) is None:
        return {}
    columns = {name: _apart(one, cached) for name, one in inputs.items() if _lies_along(one, ids)}
    whole = {**inputs, **columns}
    unread = torch.arange(1, 2 * ids.shape[0], 2, device=ids.device)
    try:
        found = inputs_of_rows(model, whole, _apart(ids, cached, fill=_NOBODY), unread)
    except GenerationError:  # there are as many as the unread part has places for, or the model says that there are not
        found = {**inputs, **{name: one[unread] for name, one in columns.items()}}
    for name in columns:
        found[name] = found[name][:, : ids.shape[1] - cached]
    return {name: one for name, one in found.items() if not isinstance(one, Tensor) or one.shape[:1] != (0,)}


def _lies_along(value: object, ids: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == ids.shape and not value.is_floating_point()


def _apart(value: Tensor, cached: int, *, fill: int = 0) -> Tensor:
    """(R, P) as (2 R, P): of each row the columns that are read, then those that are not, at the front."""
    rows = value.new_full((value.shape[0], 2, value.shape[1]), fill)
    rows[:, 0, :cached] = value[:, :cached]
    rows[:, 1, : value.shape[1] - cached] = value[:, cached:]
    return rows.flatten(0, 1)


def pictures_of_rows(places: Sequence[int], parts: Sequence[int], rows: Sequence[int]) -> list[int]:
    """Which pictures the rows have, in their order.

    Args:
        places: of each present row, how many of its tokens stand for parts of pictures.
        parts: of each of the I pictures, which stand in the order of the texts.

    Raises:
        GenerationError: the model has written tokens that stand for pictures.
    """
    if sum(places) != sum(parts):
        raise GenerationError(
            f"the texts have {sum(places)} tokens that stand for pictures, which have {sum(parts)} parts: without a "
            "cache nobody can tell whose they are. Leave use_cache=False out"
        )
    begins = [end - count for end, count in zip(accumulate(places), places, strict=True)]
    starts = [end - count for end, count in zip(accumulate(parts), parts, strict=True)]
    own = [
        [number for number, start in enumerate(starts) if begin <= start < begin + count]
        for begin, count in zip(begins, places, strict=True)
    ]
    return [number for row in rows for number in own[row]]
