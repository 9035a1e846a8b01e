"""Measuring several sides in turn, so that a machine that is busy for a while is so for all of them."""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from benchmarks.side import Side

Runs = dict[str, list[dict[str, Any]]]
Measure = Callable[[], dict[str, Any]]


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def in_turn(title: str, runs: int, sides: Mapping[str, Measure]) -> Runs:
    """Measure every side once, then all of them again, `runs` times."""
    results: Runs = {name: [] for name in sides}
    for number in range(1, runs + 1):
        for name, measure in sides.items():
            result = measure()
            results[name].append(result)
            shown = ", ".join(f"{key} {value:.4g}" for key, value in result.items() if isinstance(value, float))
            say(f"{title:<22} {number}/{runs}  {name:<28} {shown}")
    return results


@contextmanager
def lasting(sides: Mapping[str, tuple[str, ...]]) -> Iterator[dict[str, Side]]:
    """One process for each side, all of them there until the end.

    Args:
        sides: name to the arguments of benchmarks.worker.
    """
    with ExitStack() as stack:
        yield {name: stack.enter_context(Side(*arguments)) for name, arguments in sides.items()}


def in_one_process(title: str, runs: int, sides: Mapping[str, tuple[str, ...]]) -> Runs:
    """Each side in one process, which is warm from its second run on."""
    with lasting(sides) as processes:
        return in_turn(title, runs, {name: process.measure for name, process in processes.items()})


def in_fresh_processes(title: str, runs: int, sides: Mapping[str, tuple[str, ...]]) -> Runs:
    """A new process for every measurement, where the first one is what counts."""

    def fresh(arguments: tuple[str, ...]) -> Measure:
        def measure() -> dict[str, Any]:
            with Side(*arguments) as process:
                return process.measure()

        return measure

    return in_turn(title, runs, {name: fresh(arguments) for name, arguments in sides.items()})


def summarise(runs: Runs) -> dict[str, Any]:
    """The median of every number, for each side."""
    return {
        side: {
            key: statistics.median(run[key] for run in measured)
            for key, value in measured[0].items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        for side, measured in runs.items()
    }


def entry(runs: Runs) -> dict[str, Any]:
    """Medians and all runs, as results.json keeps them; tokens are compared and not kept."""
    kept = {
        side: [{key: value for key, value in run.items() if key != "tokens"} for run in measured]
        for side, measured in runs.items()
    }
    return {"median": summarise(kept), "runs": kept}


def equal_tokens(runs: Runs, one: str, other: str) -> int:
    """How many of the first tokens of two sides are the same."""
    pairs = list(zip(runs[one][0]["tokens"], runs[other][0]["tokens"], strict=True))
    return next((i for i, (a, b) in enumerate(pairs) if a != b), len(pairs))
