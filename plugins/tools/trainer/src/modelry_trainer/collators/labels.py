"""The column that says what a model is to answer: its names, its dtype, and filling it up.

B rows   T labels of the longest
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modelry.errors import ParameterError

IGNORED = -100
"""A label that no loss counts."""

Row = Mapping[str, Any]


def label_name(rows: Sequence[Row]) -> str | None:
    """The column of labels: "label" or "labels"; None where there is none, or nothing in it."""
    name = "label" if "label" in rows[0] else "labels"
    return name if any(row.get(name) is not None for row in rows) else None


def without(rows: Sequence[Row], *names: str | None) -> list[dict[str, Any]]:
    """The rows without some columns."""
    return [{key: value for key, value in row.items() if key not in names} for row in rows]


def plain(value: Any) -> Any:
    """A tensor or an array as lists or a number; anything else as it is."""
    return value.tolist() if isinstance(value, Tensor | np.ndarray | np.generic) else value


def values_tensor(values: Sequence[Any]) -> Tensor:
    """One value, or a list of values of one length, for each row: whole numbers as int64, others as float32.

    Raises:
        ParameterError: a value is a text, or None.
    """
    lists = [plain(value) for value in values]
    for value in lists:
        refuse_no_label(value)
    found = torch.tensor(lists)
    return found.float() if found.is_floating_point() else found.long()


def refuse_no_label(value: Any) -> None:
    """Refuse a text, or nothing at all, where others have a label.

    Raises:
        ParameterError: it is one.
    """
    if isinstance(value, str):
        raise ParameterError(no_text(value))
    if value is None:
        raise ParameterError("a label is None, where other rows have one: leave the row out, or give it a label")


def no_text(label: str) -> str:
    """The message about a label that is a text."""
    return f"a label is the text {label!r}: labels are numbers; config.label2id may say which number it is"


def filled(labels: Sequence[Any], width: int, *, fill: int, side: str) -> Tensor:
    """(B, width) int64 of rows of labels, filled up on one side.

    Raises:
        ParameterError: a row has more labels than `width`.
    """
    rows = [list(plain(one)) for one in labels]
    for number, row in enumerate(rows):
        if len(row) > width:
            raise ParameterError(f"row {number} of the batch has {len(row)} labels for {width} positions")
    short = [[fill] * (width - len(row)) for row in rows]
    both = [row + more if side == "right" else more + row for row, more in zip(rows, short, strict=True)]
    return torch.tensor(both, dtype=torch.int64)
