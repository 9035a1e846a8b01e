"""What a number is to reach, and rows of a table that say whether it did."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A limit, from above or from below. One of the two is given."""

    at_least: float | None = None
    at_most: float | None = None
    unit: str = "×"

    def met(self, value: float) -> bool:
        """Whether a value keeps it."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def __str__(self) -> str:
        sign, limit = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {limit} {self.unit}"


@dataclass(frozen=True)
class Row:
    """A line of a table: two figures, their ratio, and a goal if there is one."""

    what: str
    ours: str
    other: str
    """Whose figure is beside ours."""
    theirs: str
    ratio: float
    spread: str
    """Ratios of single runs, and how many there were."""
    goal: Goal | None = None
    judged: float | None = None
    """The number that the goal is about, where it is not the ratio."""

    @property
    def met(self) -> bool | None:
        """None where there is no goal."""
        return None if self.goal is None else self.goal.met(self.ratio if self.judged is None else self.judged)


HEAD = ("| | modelry | beside | ratio | single runs (how many) | goal | met |", "|---|---|---|---|---|---|---|")
VERDICTS = {None: "", True: "yes", False: "**no**"}


def compare(
    what: str,
    entry: dict[str, Any],
    key: str,
    *,
    ours: str = "ours",
    theirs: str = "theirs",
    name: str = "transformers",
    form: str = "{:.0f} tokens/s",
    goal: Goal | None = None,
    absolute: bool = False,
) -> Row:
    """A row of two sides' medians.

    Args:
        entry: medians and runs of every side.
        key: which number.
        ours, theirs: keys of the sides.
        name: of the other side, for the table.
        form: of the numbers.
        absolute: the goal is about our number and not about the ratio.
    """
    mine, other = entry["median"][ours][key], entry["median"][theirs][key]
    pairs = zip(entry["runs"][ours], entry["runs"][theirs], strict=True)
    ratios = sorted(a[key] / b[key] for a, b in pairs)
    return Row(
        what,
        form.format(mine),
        name,
        form.format(other),
        mine / other,
        f"{ratios[0]:.2f} to {ratios[-1]:.2f} ({len(ratios)})",
        goal,
        mine if absolute else None,
    )


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Markdown."""
    yield from HEAD
    for row in rows:
        goal = "" if row.goal is None else str(row.goal)
        ratio, beside = f"**{row.ratio:.2f}**", f"{row.other}: {row.theirs}"
        cells = (row.what, row.ours, beside, ratio, row.spread, goal, VERDICTS[row.met])
        yield f"| {' | '.join(cells)} |"


def summary(rows: Sequence[Row]) -> str:
    """How many goals were met, and which were not."""
    judged = [row for row in rows if row.met is not None]
    missed = [f"{row.what} (beside {row.other}, {row.goal})" for row in judged if not row.met]
    told = f"{len(judged) - len(missed)} of {len(judged)} goals were met"
    return f"{told}; missed: {'; '.join(missed)}." if missed else f"{told}."
