"""Inputs beside a text (pixel values, grids) for rows that were repeated, dropped or put in another order.

Needed where a model has no cache and reads the whole prompt again. R rows   I pictures of all rows
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from torch import Tensor

from modelry.errors import GenerationError


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
