"""One question that is measured: how, what the page says of it, and its plots."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.goals import Row, table

Entries = dict[str, Any]
"""Name of a case to its medians and runs (`alternating.entry`) and what else was seen."""


@dataclass(frozen=True)
class Section:
    """What the page says."""

    title: str
    text: str
    rows: list[Row] = field(default_factory=list)
    picture: str | None = None
    """Name of the plot's files."""
    after: list[str] = field(default_factory=list)
    """More lines, behind the table."""

    def lines(self) -> Iterator[str]:
        """Markdown."""
        yield from (f"## {self.title}", "", self.text, "")
        if self.picture:
            yield from (f"![{self.title}]({self.picture}.svg)", "")
        if self.rows:
            yield from table(self.rows)
            yield ""
        if self.after:
            yield from (*self.after, "")


@dataclass(frozen=True)
class Part:
    """`measure` takes the number of runs and yields names and entries; `draw` takes the entries and a folder."""

    measure: Callable[[int], Iterator[tuple[str, Any]]]
    section: Callable[[Entries], Section]
    draw: Callable[[Entries, Path], None] | None = None
