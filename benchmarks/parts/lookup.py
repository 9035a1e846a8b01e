"""Prompt lookup on a text that repeats itself, beside plain greedy."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks.alternating import entry, equal_tokens, in_one_process
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.work.lookup import DRAFT_TOKENS, NEW_TOKENS, PROMPT_TOKENS

WEIGHTS = {"bfloat16": "bfloat16", "gguf": "4 bit"}
LEAST = Goal(at_least=2.0)


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    for weights in WEIGHTS:
        sides = {how: ("ours", "lookup", weights, how) for how in ("lookup", "plain")}
        found = in_one_process(f"lookup {weights}", runs, sides)
        equal = equal_tokens(found, "lookup", "plain")
        if equal != NEW_TOKENS:
            raise SystemExit(f"prompt lookup in {weights} differs from plain greedy from token {equal} on")
        yield weights, entry(found)


def section(entries: Entries) -> Section:
    rows = []
    for weights, one in entries.items():
        versus = partial(compare, entry=one, ours="lookup", theirs="plain", name="plain greedy")
        name = f"prompt lookup, {WEIGHTS[weights]}"
        rows.append(versus(name, key="decode_tokens_per_second", goal=LEAST))
        rows.append(versus(f"{name}, whole call", key="seconds", form="{:.2f} s"))
    return Section(
        "Prompt lookup",
        f"One function, written again and again, {PROMPT_TOKENS} tokens, {NEW_TOKENS} new ones; up to "
        f"{DRAFT_TOKENS} drafted at a time. The output is the same, token by token.",
        rows,
    )


PART = Part(measure, section)
