"""The same 4-bit weights with the step compiled, beside the eager ones and llama.cpp. Compiling is not counted."""

from collections.abc import Iterator
from typing import Any

from benchmarks.alternating import entry, in_one_process
from benchmarks.goals import compare
from benchmarks.part import Entries, Part, Section
from benchmarks.parts.engines import DECODE, LLAMA, PACKED, PREFILL, SIDES

COMPILED = "modelry 4 bit compiled"


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    sides = {
        COMPILED: ("ours", "generate", "gguf", "compile"),
        PACKED: SIDES[PACKED],
        LLAMA: SIDES[LLAMA],
    }
    yield "4 bit", entry(in_one_process("compiled", runs, sides))


def section(entries: Entries) -> Section:
    one = entries["4 bit"]
    return Section(
        "Compiled",
        "`generate(..., compile=True)` with the same prompt and file, after the step was compiled. No goal: it is "
        "stated beside the eager figures.",
        [
            compare(f"{phase}, 4 bit, compiled", one, key, ours=COMPILED, theirs=other, name=f"{other}{note}")
            for phase, key in (("decode", DECODE), ("prefill", PREFILL))
            for other, note in ((PACKED, ", eager"), (LLAMA, ""))
        ],
    )


PART = Part(measure, section)
