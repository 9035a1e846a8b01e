"""A second question about images whose keys and values are there already, beside reading all again."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.alternating import entry, equal_tokens, in_turn, lasting
from benchmarks.goals import compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import ranking, save, two_panels
from benchmarks.work.second_question import NEW_TOKENS, QUESTION_TOKENS

IMAGES = (1, 4)
SIDES = {"remembered": "modelry remembers", "anew": "modelry reads again"}
FIRST, WHOLE = "first_token_seconds", "seconds"


def measure(runs: int, *size: str) -> Iterator[tuple[str, Any]]:
    with lasting({how: ("ours", "second_question", how, *size) for how in SIDES}) as processes:
        for count in IMAGES:
            name = f"{count} image{'s' * (count > 1)}"
            sides = {how: partial(process.measure, count) for how, process in processes.items()}
            found = in_turn(f"second question, {name}", runs, sides)
            yield name, entry(found) | {"equal_tokens": equal_tokens(found, *SIDES)}


def section(entries: Entries) -> Section:
    rows = []
    for name, one in entries.items():
        versus = partial(compare, entry=one, ours="remembered", theirs="anew", name="read again", form="{:.3f} s")
        tokens = one["median"]["anew"]["prompt_tokens"]
        rows.append(versus(f"{name}, {tokens:.0f} tokens, until the first new one", key=FIRST))
        rows.append(versus(f"{name}, whole answer", key=WHOLE))
    equal = ", ".join(f"{one['equal_tokens']} with {name}" for name, one in entries.items())
    return Section(
        "A second question about the same images",
        "A language model of SmolLM2-135M's shape that sees through a ViT-B/16 (LLaVA), random weights, float32, "
        f"batch 1, greedy. After the first answer a question of {QUESTION_TOKENS} tokens is asked, {NEW_TOKENS} new "
        "tokens: with the cache of the first answer, so that neither images nor text are read twice, and without.",
        rows,
        picture="second_question",
        after=[f"Of the {NEW_TOKENS} tokens, the first {equal} are the same both ways."],
    )


def draw(entries: Entries, folder: Path) -> None:
    figure, panels = two_panels()
    for axes, (name, one) in zip(panels, entries.items(), strict=True):
        values = {title: one["median"][how][FIRST] for how, title in SIDES.items()}
        ranking(axes, values, title=f"until the first token, {name}", unit="s", form="%.3f")
    save(figure, folder, "second_question")


PART = Part(measure, section, draw)
