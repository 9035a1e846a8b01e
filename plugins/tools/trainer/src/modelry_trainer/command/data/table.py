"""Rows, and what a message calls each of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelry_trainer.errors import BadRow, TrainFileError

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Table:
    """Rows by number."""

    name: str
    """Of the file or data set."""
    rows: Sequence[Row]
    place: Callable[[int], str]
    """What a message calls a row: "chats.jsonl, line 7"."""
    class_names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Column to the names that its numbers stand for, where the data set has them."""

    def __len__(self) -> int:
        return len(self.rows)

    def renamed(self, columns: Mapping[str, str]) -> "Table":
        """The same under the names that the kind of training has for columns.

        Args:
            columns: new name to the one that the data have.
        """
        if not columns:
            return self
        names = {new: self.class_names[old] for new, old in columns.items() if old in self.class_names}
        return Table(self.name, _Renamed(self.rows, columns), self.place, {**self.class_names, **names})

    def only(self, numbers: Sequence[int]) -> "Table":
        """Some of the rows, under the names that they have here."""
        return Table(
            self.name, _Some(self.rows, numbers), lambda number: self.place(int(numbers[number])), self.class_names
        )

    def column(self, name: str, *, why: str) -> Iterable[tuple[int, Any]]:
        """The values of a column with the numbers of their rows.

        Raises:
            BadRow: a row has no such column, or nothing in it.
        """
        for number in range(len(self)):
            row = self.rows[number]
            if row.get(name) is None:
                has = ", ".join(key for key in row if row[key] is not None)
                raise BadRow(
                    f"{self.place(number)}: there is no {name!r}, {why}; the row has {has or 'nothing'} "
                    f"(--data.columns.{name} NAME says which column it is)"
                )
            yield number, row[name]


@dataclass(frozen=True)
class _Renamed(Sequence[Row]):
    rows: Sequence[Row]
    columns: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: Any) -> Any:
        row = dict(self.rows[number])
        return {**row, **{new: row[old] for new, old in self.columns.items() if old in row}}


@dataclass(frozen=True)
class _Some(Sequence[Row]):
    rows: Sequence[Row]
    numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, number: Any) -> Any:
        return self.rows[int(self.numbers[number])]


def divided(table: Table, *, part: float, seed: int) -> tuple[Table, Table]:
    """Rows for learning and rows for evaluation, drawn by the seed and in their order.

    Raises:
        TrainFileError: one of the two would be empty.
    """
    count = round(len(table) * part)
    if not 0 < count < len(table):
        raise TrainFileError(f"data.eval_fraction {part:g} of the {len(table)} rows of {table.name} is {count}")
    kept = np.zeros(len(table), dtype=bool)
    kept[np.random.default_rng(seed).permutation(len(table))[:count]] = True
    return table.only(np.flatnonzero(~kept).tolist()), table.only(np.flatnonzero(kept).tolist())
