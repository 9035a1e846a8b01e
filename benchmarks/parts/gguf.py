"""From a GGUF file to tokenizer and float32 model."""

from collections.abc import Iterator
from typing import Any

from benchmarks.alternating import entry, in_fresh_processes
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.weights import GGUF

MOST_RUNS = 3
"""The peer takes half a minute for each."""
LIMIT = Goal(at_most=3, unit="s")


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    sides = {side: (side, "gguf", str(GGUF)) for side in ("ours", "theirs")}
    yield "float32", entry(in_fresh_processes("gguf", min(runs, MOST_RUNS), sides))


def section(entries: Entries) -> Section:
    one = entries["float32"]
    return Section(
        "Loading a GGUF file",
        f"Tokenizer and float32 model from the 98 MB Q4_1 file, {len(one['runs']['ours'])} processes each, imports not "
        "counted.",
        [
            compare("GGUF to float32, time", one, "seconds", form="{:.2f} s"),
            compare("GGUF to float32, CPU", one, "cpu_seconds", form="{:.2f} s", goal=LIMIT, absolute=True),
        ],
    )


PART = Part(measure, section)
