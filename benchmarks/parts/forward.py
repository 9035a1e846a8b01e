"""Forward passes of encoders, beside transformers."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, in_turn, lasting
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import bars, column, legend, save, two_panels
from benchmarks.work.forward import SHAPES

BATCHES = (1, 16)
RATE = "items_per_second"


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    for name in SHAPES:
        with lasting({side: (side, "forward", name) for side in ("ours", "theirs")}) as processes:
            for batch in BATCHES:
                sides = {side: partial(process.measure, batch) for side, process in processes.items()}
                yield f"{name} {batch}", entry(in_turn(f"{name}, batch {batch}", runs, sides))


def section(entries: Entries) -> Section:
    rows = []
    for case, one in entries.items():
        name, batch = case.split()
        title = f"{SHAPES[name].title}, batch {batch}"
        rows.append(compare(title, one, RATE, form="{:.2f} items/s", goal=Goal(at_least=1.0)))
    return Section("Forward passes", "Published sizes, random weights, float32.", rows, picture="forward")


def draw(entries: Entries, folder: Path) -> None:
    figure, panels = two_panels(9)
    for axes, batch in zip(panels, BATCHES, strict=True):
        of_batch = {name: entries[f"{name} {batch}"] for name in SHAPES if f"{name} {batch}" in entries}
        bars(axes, column(of_batch, RATE), title=f"batch {batch}", unit="items/s", form="%.2f")
    legend(figure, panels[0])
    save(figure, folder, "forward")


PART = Part(measure, section, draw)
