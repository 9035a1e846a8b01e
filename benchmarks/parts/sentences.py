"""Sentences to vectors, beside sentence-transformers."""

from collections.abc import Iterator
from typing import Any

from benchmarks.alternating import in_one_process, summarise
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.work.sentences import BATCH, COUNT, LONGEST


def measure(runs: int) -> Iterator[tuple[str, Any]]:
    found = in_one_process("sentences", runs, {side: (side, "sentences") for side in ("ours", "theirs")})
    vectors = [found[side][0]["first"] for side in ("ours", "theirs")]
    kept = {side: [{"sentences_per_second": run["sentences_per_second"]} for run in of] for side, of in found.items()}
    apart = max(abs(a - b) for a, b in zip(*vectors, strict=True))
    yield "sentences", {"median": summarise(kept), "runs": kept, "apart": apart}


def section(entries: Entries) -> Section:
    one = entries["sentences"]
    return Section(
        "Sentences to vectors",
        f"all-MiniLM-L6-v2, float32, {COUNT} sentences of 3 to {LONGEST} words in batches of {BATCH}.",
        [
            compare(
                "sentences to vectors",
                one,
                "sentences_per_second",
                name="sentence-transformers",
                form="{:.0f} a second",
                goal=Goal(at_least=1.0),
            )
        ],
        after=[f"The vectors of the first sentence are {one['apart']:.1e} apart at most."],
    )


PART = Part(measure, section)
