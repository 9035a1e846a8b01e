"""How the cost of a token grows with the context and with the batch."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, in_turn, lasting
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import legend, lines, save, two_panels
from benchmarks.work.growth import NEW_TOKENS

CONTEXTS = (128, 512, 2048, 4096, 8000)
BATCHES = (1, 2, 4, 8, 16, 32)
BATCH_CONTEXT = 128
SIDES = {
    "modelry 4 bit": ("ours", "growth", "gguf"),
    "modelry bfloat16": ("ours", "growth", "bfloat16"),
    "transformers bfloat16": ("theirs", "growth", "bfloat16"),
}
DECODE = "decode_tokens_per_second"


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    points = [(f"context {size}", (size, 1)) for size in CONTEXTS]
    points += [(f"batch {size}", (BATCH_CONTEXT, size)) for size in BATCHES]
    with lasting(SIDES) as processes:
        for name, point in points:
            sides = {side: partial(process.measure, *point) for side, process in processes.items()}
            yield name, entry(in_turn(name, runs, sides))


def series(entries: Entries, kind: str, sizes: Sequence[int]) -> dict[str, list[float]]:
    """Name of a side to its medians, one a size."""
    return {side: [entries[f"{kind} {size}"]["median"][side][DECODE] for size in sizes] for side in SIDES}


def _table(entries: Entries, kind: str, sizes: Sequence[int]) -> Iterator[str]:
    yield f"| {kind} | {' | '.join(f'{size:,}' for size in sizes)} |"
    yield "|---" * (len(sizes) + 1) + "|"
    for side, values in series(entries, kind, sizes).items():
        yield f"| {side} | {' | '.join(f'{value:.0f}' for value in values)} |"


def section(entries: Entries) -> Section:
    return Section(
        "How cost grows",
        f"Decoded tokens per second: with one row against its context, and with {BATCH_CONTEXT} tokens of context "
        f"against the rows of a batch (all rows together). A run is the median of {NEW_TOKENS - 1} steps. "
        "No goal: the curves are the point.",
        picture="growth",
        after=[*_table(entries, "context", CONTEXTS), "", *_table(entries, "batch", BATCHES)],
    )


def draw(entries: Entries, folder: Path) -> None:
    figure, (context, batch) = two_panels(10)
    unit = "tokens/s"
    lines(context, CONTEXTS, series(entries, "context", CONTEXTS), title="tokens of context, one row", unit=unit)
    lines(batch, BATCHES, series(entries, "batch", BATCHES), title=f"rows, context {BATCH_CONTEXT}", unit=unit)
    legend(figure, context)
    save(figure, folder, "growth")


PART = Part(measure, section, draw)
