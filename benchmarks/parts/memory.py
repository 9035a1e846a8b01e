"""How much memory loading takes beyond the weights."""

from collections.abc import Iterator
from typing import Any

from benchmarks.alternating import entry, in_fresh_processes
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.weights import folder

LIMIT = Goal(at_most=1.15, unit="× the checkpoint")


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    sides = {side: (side, "memory", str(folder("float32"))) for side in ("ours", "theirs")}
    yield "float32", entry(in_fresh_processes("memory", runs, sides))


def section(entries: Entries) -> Section:
    one = entries["float32"]
    times, seconds = "{:.2f} ×", "{:.2f} s"
    return Section(
        "Memory of loading",
        f"The float32 checkpoint of {one['median']['ours']['bytes'] / 1e6:.0f} MB; how far the peak of resident memory "
        f"rises, as a multiple of that size. {len(one['runs']['ours'])} processes each.",
        [
            compare("after `from_pretrained`", one, "load_ratio", form=times, goal=LIMIT, absolute=True),
            compare("after every weight was used once", one, "use_ratio", form=times, goal=LIMIT, absolute=True),
            compare("time of `from_pretrained`", one, "load_seconds", form=seconds),
        ],
    )


PART = Part(measure, section)
