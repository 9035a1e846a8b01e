"""Photographs made ready for a model, beside transformers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, in_one_process
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import bars, column, legend, save, two_panels
from benchmarks.work.photographs import COUNT

KINDS = {"pictures": "Pillow's pictures", "arrays": "arrays of bytes"}
RATE = "photographs_per_second"


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    for kind in KINDS:
        found = in_one_process(
            f"photographs, {kind}", runs, {side: (side, "photographs", kind) for side in ("ours", "theirs")}
        )
        yield kind, entry(found)


def section(entries: Entries) -> Section:
    goals = {"pictures": Goal(at_least=1.3)}
    apart = max(abs(one["median"]["ours"]["mean"] - one["median"]["theirs"]["mean"]) for one in entries.values())
    return Section(
        "Preparing photographs",
        f"{COUNT} photographs of many sizes, in memory, as ViT reads them (224 × 224, bilinear, normalised). The "
        "other side resizes with Pillow, as ours does: it has no other way without torchvision.",
        [
            compare(KINDS[kind], one, RATE, form="{:.0f} a second", goal=goals.get(kind))
            for kind, one in entries.items()
        ],
        picture="photographs",
        after=[f"The means of all values are {apart:.1e} apart."],
    )


def draw(entries: Entries, folder: Path) -> None:
    figure, panels = two_panels()
    for axes, (kind, one) in zip(panels, entries.items(), strict=True):
        bars(axes, column({kind: one}, RATE), title=KINDS[kind], unit="photographs/s", form="%.0f")
    legend(figure, panels[0])
    save(figure, folder, "photographs")


PART = Part(measure, section, draw)
