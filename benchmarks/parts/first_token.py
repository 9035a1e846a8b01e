"""From starting Python to the first token of a GGUF file."""

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.alternating import Measure, entry, in_turn
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.side import Process
from benchmarks.weights import GGUF

LIMIT = Goal(at_most=0.15)
SIDES = ("ours", "theirs", "llama")


def timed(side: str) -> Measure:
    """One process, from its start until it prints the token."""

    def measure() -> dict[str, Any]:
        started = time.perf_counter()
        process = Process("benchmarks.first_token", side, str(GGUF))
        token = process.read_line()
        seconds = time.perf_counter() - started
        process.end()
        return {"seconds": seconds, "token": token.strip()}

    return measure


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    yield "gguf", entry(in_turn("first token", runs, {side: timed(side) for side in SIDES}))


def section(entries: Entries) -> Section:
    one = entries["gguf"]
    seconds = "{:.2f} s"
    return Section(
        "From starting Python to the first token",
        f"The 98 MB GGUF file, a short prompt, imports, tokenizer and loading counted; {len(one['runs']['ours'])} "
        "fresh processes each. Modelry keeps the weights packed; transformers loads them as bfloat16.",
        [
            compare("first token of a GGUF file", one, "seconds", form=seconds, goal=LIMIT),
            compare("first token of a GGUF file", one, "seconds", form=seconds, theirs="llama", name="llama.cpp"),
        ],
    )


PART = Part(measure, section)
