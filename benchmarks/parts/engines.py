"""Weights of every kind beside llama.cpp and transformers in bfloat16, which is transformers' best here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, in_one_process
from benchmarks.goals import Goal, Row, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import ranking, save, two_panels
from benchmarks.work.generate import NEW_TOKENS, PROMPT_TOKENS

PREFILL, DECODE = "prefill_tokens_per_second", "decode_tokens_per_second"
PACKED, BFLOAT16, INT8 = "modelry 4 bit", "modelry bfloat16", "modelry int8"
LLAMA, TRANSFORMERS = "llama.cpp Q4_1", "transformers bfloat16"
SIDES = {
    PACKED: ("ours", "generate", "gguf"),
    LLAMA: ("llama", "generate", "gguf"),
    TRANSFORMERS: ("theirs", "generate", "bfloat16"),
    BFLOAT16: ("ours", "generate", "bfloat16"),
    INT8: ("ours", "generate", "int8"),
}


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    yield "batch 1", entry(in_one_process("engines", runs, SIDES))


def section(entries: Entries) -> Section:
    one = entries["batch 1"]

    def row(phase: str, key: str, ours: str, theirs: str, least: float) -> Row:
        goal = Goal(at_least=least)
        return compare(f"{phase}, {ours}", one, key, ours=ours, theirs=theirs, name=theirs, goal=goal)

    prefills = [
        row("prefill", PREFILL, ours, theirs, least)
        for ours in (PACKED, BFLOAT16, INT8)
        for theirs, least in ((TRANSFORMERS, 1.0), (LLAMA, 3.0))
    ]
    return Section(
        "4 bit, 8 bit and bfloat16, beside llama.cpp and transformers",
        f"Batch 1, greedy, a prompt of {PROMPT_TOKENS} tokens, {NEW_TOKENS} new tokens; the 98 MB GGUF file for 4 bit, "
        "which llama.cpp reads too (llama-cpp-python, built from source for this processor); in 4 and 8 bits the "
        "vocabulary's projection is packed as well. "
        "Eager: nothing is compiled.",
        [
            row("decode", DECODE, PACKED, LLAMA, 1.0),
            row("decode", DECODE, PACKED, TRANSFORMERS, 3.0),
            row("decode", DECODE, BFLOAT16, TRANSFORMERS, 1.7),
            row("decode", DECODE, INT8, TRANSFORMERS, 2.5),
            *prefills,
            row("prefill", PREFILL, PACKED, BFLOAT16, 1.0),
        ],
        picture="engines",
    )


def draw(entries: Entries, folder: Path) -> None:
    medians = entries["batch 1"]["median"]
    figure, panels = two_panels(10)
    for panel, title, key in zip(panels, ("decode", "prefill"), (DECODE, PREFILL), strict=True):
        values = {name: found[key] for name, found in medians.items()}
        ranking(panel, values, title=title, unit="tokens/s", form="%.0f")
    save(figure, folder, "engines")


PART = Part(measure, section, draw)
