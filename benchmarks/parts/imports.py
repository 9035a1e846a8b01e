"""What importing costs before anything is done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, in_fresh_processes
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import bars, column, legend, save, two_panels
from benchmarks.weights import folder
from benchmarks.work.imports import STATEMENTS

NAMES = {
    "import": "`import LIBRARY`",
    "config": "`AutoConfig.from_pretrained(folder)`",
    "tokenizer": "`AutoTokenizer.from_pretrained(folder)`",
    "pipeline": "`from LIBRARY import pipeline`",
}
MOST_RUNS_OF_SLOW = 3
"""Of the statements that take transformers seconds."""
GOALS = {"import": Goal(at_most=0.08, unit="s")}


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    for statement in STATEMENTS:
        sides = {side: (side, "imports", statement, str(folder("float32"))) for side in ("ours", "theirs")}
        count = runs if statement in GOALS else min(runs, MOST_RUNS_OF_SLOW)
        found = in_fresh_processes(f"imports {statement}", count, sides)
        yield statement, entry(found) | {"torch_imported": {side: runs[0]["torch"] for side, runs in found.items()}}


def section(entries: Entries) -> Section:
    rows = []
    for statement, one in entries.items():
        name, goal = NAMES[statement], GOALS.get(statement)
        rows.append(compare(f"{name}, CPU", one, "cpu_seconds", form="{:.3f} s", goal=goal, absolute=True))
        rows.append(compare(f"{name}, memory", one, "megabytes", form="{:.0f} MB"))
    with_torch = {
        side: ", ".join(NAMES[name] for name, one in entries.items() if one["torch_imported"][side]) or "none"
        for side in ("ours", "theirs")
    }
    told = f"torch is imported by {with_torch['ours']} in modelry, by {with_torch['theirs']} in transformers."
    return Section("Importing", "CPU time and memory in a fresh interpreter.", rows, picture="imports", after=[told])


def draw(entries: Entries, folder: Path) -> None:
    figure, (seconds, megabytes) = two_panels(9)
    bars(seconds, column(entries, "cpu_seconds"), title="CPU time in a fresh interpreter", unit="seconds", form="%.2f")
    bars(megabytes, column(entries, "megabytes"), title="memory in a fresh interpreter", unit="MB", form="%.0f")
    legend(figure, seconds)
    save(figure, folder, "imports")


PART = Part(measure, section, draw)
