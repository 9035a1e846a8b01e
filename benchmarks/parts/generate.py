"""Float weights beside transformers: the same checkpoint, the same tokens."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, equal_tokens, in_one_process
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import bars, column, legend, save, two_panels
from benchmarks.weights import DTYPES
from benchmarks.work.generate import NEW_TOKENS, PROMPT_TOKENS

PREFILL, DECODE = "prefill_tokens_per_second", "decode_tokens_per_second"
GOALS = (("prefill", PREFILL, Goal(at_least=1.0)), ("decode", DECODE, Goal(at_least=1.5)))


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    for dtype in DTYPES:
        sides = {side: (side, "generate", dtype) for side in ("ours", "theirs")}
        found = in_one_process(f"generate {dtype}", runs, sides)
        yield dtype, entry(found) | {"equal_tokens": equal_tokens(found, "ours", "theirs")}


def section(entries: Entries) -> Section:
    equal = ", ".join(f"{one['equal_tokens']} in {dtype}" for dtype, one in entries.items())
    return Section(
        "Generating",
        "SmolLM2-135M-Instruct, the same safetensors folder, batch 1, greedy, "
        f"a prompt of {PROMPT_TOKENS} tokens, {NEW_TOKENS} new tokens.",
        [
            compare(f"{phase}, {dtype}", one, key, goal=goal)
            for dtype, one in entries.items()
            for phase, key, goal in GOALS
        ],
        picture="generate",
        after=[f"Of the {NEW_TOKENS} tokens, the first {equal} are the same on both sides."],
    )


def draw(entries: Entries, folder: Path) -> None:
    figure, (prefill, decode) = two_panels()
    bars(prefill, column(entries, PREFILL), title="prefill", unit="tokens/s", form="%.0f")
    bars(decode, column(entries, DECODE), title="decode", unit="tokens/s", form="%.0f")
    legend(figure, prefill)
    save(figure, folder, "generate")


PART = Part(measure, section, draw)
