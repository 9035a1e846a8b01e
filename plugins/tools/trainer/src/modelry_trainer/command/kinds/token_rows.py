"""Tokenized rows, close together: one array for each column in the place of millions of lists.

N rows
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, final

import numpy as np


@final
class TokenRows(Sequence[dict[str, Any]]):
    """Rows with lists of whole numbers (or of pairs of them), or with one number, by position.

    Args:
        rows: all with the same columns.
    """

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        kept: dict[str, list[np.ndarray]] = {}
        for row in rows:
            for name, value in row.items():
                kept.setdefault(name, []).append(_small(value))
        self._count = len(next(iter(kept.values()), []))
        self._ends = {
            name: np.cumsum([0, *(len(np.atleast_1d(one)) for one in arrays)]) for name, arrays in kept.items()
        }
        self._single = {name for name, arrays in kept.items() if arrays[0].ndim == 0}
        self._values = {name: np.concatenate([np.atleast_1d(one) for one in arrays]) for name, arrays in kept.items()}

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        if not -len(self) <= number < len(self):
            raise IndexError(f"row {number} of {len(self)}")
        number %= len(self)
        row: dict[str, Any] = {}
        for name, values in self._values.items():
            begin, end = self._ends[name][number : number + 2]
            row[name] = values[begin].item() if name in self._single else values[begin:end].tolist()
        return row

    def lengths(self, name: str = "input_ids") -> np.ndarray:
        """(N,) entries of each row in a column."""
        return np.diff(self._ends[name])

    def total(self, name: str, counts: Callable[[np.ndarray], np.ndarray] | None = None) -> int:
        """Entries of a column in all rows, or those that count."""
        values = self._values[name]
        return len(values) if counts is None else int(counts(values).sum())


def _small(value: Any) -> np.ndarray:
    """As few bytes as the numbers need."""
    array = np.asarray(value)
    if array.dtype.kind in "iu" and array.size:
        return array.astype(np.result_type(np.min_scalar_type(array.min()), np.min_scalar_type(array.max())))
    return array if array.size else array.astype(np.int8)
