"""Fine-tuning SmolLM2, beside transformers' Trainer: the same losses, in less time and memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.alternating import Runs, entry, in_fresh_processes
from benchmarks.goals import Goal, compare
from benchmarks.part import Entries, Part, Section
from benchmarks.plots import NAMES, colour, legend, one_panel, save
from benchmarks.work.training import BATCH

LONG, SHORT = 50, 5
SIDES = ("ours", "theirs")
EQUAL = Goal(at_most=1e-3, unit="apart")
FASTER, SMALLER = Goal(at_least=1.1), Goal(at_most=0.9)


def measure(runs: int, source: str = "", steps: tuple[int, int] = (LONG, SHORT)) -> Iterator[tuple[str, Any]]:
    """Losses and memory of many steps once; time and memory of few steps, in a new process each.

    Args:
        source: a checkpoint in place of SmolLM2.
        steps: many and few.
    """
    long, short = ({side: (side, "training", str(count), source) for side in SIDES} for count in steps)
    once = in_fresh_processes(f"training, {steps[0]} steps", 1, long)
    yield "losses", {side: once[side][0]["losses"] for side in SIDES}
    yield "many", entry(_without_losses(once))
    yield "steps", entry(_without_losses(in_fresh_processes(f"training, {steps[1]} steps", runs, short)))


def _without_losses(runs: Runs) -> Runs:
    return {side: [{key: run[key] for key in run if key != "losses"} for run in of] for side, of in runs.items()}


def apart(losses: dict[str, list[float]]) -> float:
    """How far the losses of a step are from each other at most."""
    return max(abs(one - other) for one, other in zip(losses["ours"], losses["theirs"], strict=True))


def section(entries: Entries) -> Section:
    losses, one, many = entries["losses"], entries["steps"], entries["many"]
    count, gap = len(losses["ours"]), apart(entries["losses"])
    verdict = "as asked" if EQUAL.met(gap) else "**more than asked**"
    return Section(
        "Training",
        f"SmolLM2-135M-Instruct fine-tuned on chats by both Trainers, float32, batches of {BATCH}, AdamW, the same "
        "rows in the same order; real tokens count. The peak is that of resident memory of the whole process.",
        [
            compare("training", one, "tokens_per_second", goal=FASTER),
            compare("peak of memory", one, "peak_gigabytes", form="{:.2f} GB", goal=SMALLER),
            compare(f"peak of memory, {count} steps", many, "peak_gigabytes", form="{:.2f} GB", goal=SMALLER),
        ],
        picture="training",
        after=[f"The losses of {count} steps are {gap:.1e} apart at most, {verdict} ({EQUAL})."],
    )


def draw(entries: Entries, folder: Path) -> None:
    figure, axes = one_panel()
    for side, dashes in zip(SIDES, ("-", ":"), strict=True):
        losses = entries["losses"][side]
        axes.plot(range(1, len(losses) + 1), losses, dashes, color=colour(NAMES[side]), label=NAMES[side])
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.spines[["top", "right"]].set_visible(False)
    legend(figure, axes)
    save(figure, folder, "training")


PART = Part(measure, section, draw)
