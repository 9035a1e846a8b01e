"""Sizes and errors of a packed model: as rows, as a table for people, as JSON. Never imports torch."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry.packed.measuring import PackedTensor


@dataclass(frozen=True)
class SizeRow:
    """Layers that differ in a number only."""

    layers: str
    count: int
    bytes_before: int
    """In the dtype the model would have without packing."""
    bytes_after: int
    relative_error: float | None
    """Of the weights: size of the difference by size of the weights, as Euclidean norms; None where nobody can say."""


def grouped(seen: "Iterable[PackedTensor]") -> list[SizeRow]:
    """One row for the layers of one name, in the model's order."""
    groups: dict[str, list[PackedTensor]] = {}
    for one in seen:
        groups.setdefault(re.sub(r"(?<=\.)\d+(?=\.)", "*", one.layer), []).append(one)
    return [_row(name, ones) for name, ones in groups.items()]


def total(seen: "Sequence[PackedTensor]", *, unpacked: int) -> SizeRow:
    """The whole model; the error is that of the packed weights.

    Args:
        unpacked: bytes of everything that was not packed.
    """
    packed = _row("total", seen)
    return SizeRow(
        "total", packed.count, packed.bytes_before + unpacked, packed.bytes_after + unpacked, packed.relative_error
    )


def _row(name: str, ones: "Sequence[PackedTensor]") -> SizeRow:
    before, after = sum(one.bytes_before for one in ones), sum(one.bytes_after for one in ones)
    known = [one for one in ones if one.squared is not None and one.squared_error is not None]
    error = None
    if known and len(known) == len(ones):
        squared, squared_error = (
            sum(one.squared or 0.0 for one in known),
            sum(one.squared_error or 0.0 for one in known),
        )
        error = math.sqrt(squared_error / squared) if squared else 0.0
    return SizeRow(name, len(ones), before, after, error)


def as_text(rows: Sequence[SizeRow], *, unpacked: int, whole: SizeRow) -> str:
    """A table with a head, a row for each group, one for what stayed, and the total."""
    lines = [("layers", "count", "before", "after", "error")]
    lines += [_cells(row) for row in rows]
    lines += [("not packed", "", readable(unpacked), readable(unpacked), ""), _cells(whole)]
    widths = [max(len(line[column]) for line in lines) for column in range(5)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        ).rstrip()
        for line in lines
    )


def as_json(rows: Sequence[SizeRow], *, unpacked: int, whole: SizeRow) -> dict[str, Any]:
    """The same as plain values."""
    return {"groups": [asdict(row) for row in rows], "bytes_not_packed": unpacked, "total": asdict(whole)}


def _cells(row: SizeRow) -> tuple[str, str, str, str, str]:
    error = "-" if row.relative_error is None else f"{row.relative_error:.2%}"
    return row.layers, str(row.count), readable(row.bytes_before), readable(row.bytes_after), error


def readable(size: int) -> str:
    """Bytes as in "98.3 MB" (10^6)."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{size} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
