"""Batches of prompts that differ in length."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, in_turn, lasting
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import bars, column, legend, save, two_panels
from benchmarks.work.batches import LONGEST, NEW_TOKENS, SHORTEST

SIZES = (8, 32)
TOTAL, DECODE = "tokens_per_second", "decode_tokens_per_second"
LEAST = Goal(at_least=1.5)


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    with lasting({side: (side, "batches", "bfloat16") for side in ("ours", "theirs")}) as processes:
        for size in SIZES:
            sides = {name: partial(process.measure, size) for name, process in processes.items()}
            yield f"batch {size}", entry(in_turn(f"batch {size}", runs, sides))


def section(entries: Entries) -> Section:
    rows = []
    for name, one in entries.items():
        rows.append(compare(f"{name}, all tokens", one, TOTAL, goal=LEAST))
        rows.append(compare(f"{name}, decode only", one, DECODE))
    return Section(
        "Batches of mixed lengths",
        f"bfloat16, prompts of {SHORTEST} to {LONGEST} tokens padded on the left, {NEW_TOKENS} new tokens each. All "
        "tokens: those of the prompts, without padding, and the new ones, over the time of the whole call.",
        rows,
        picture="batches",
    )


def draw(entries: Entries, folder: Path) -> None:
    figure, (total, decode) = two_panels()
    bars(total, column(entries, TOTAL), title="all tokens", unit="tokens/s", form="%.0f")
    bars(decode, column(entries, DECODE), title="decode only", unit="tokens/s", form="%.0f")
    legend(figure, total)
    save(figure, folder, "batches")


PART = Part(measure, section, draw)
