"""What came of the checks, and the lines that tell a person. No torch."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import groupby

PASSED, SKIPPED, FAILED = "passed", "skipped", "failed"


@dataclass(frozen=True)
class Outcome:
    """One check of one plugin."""

    plugin: str
    """"kind:name"."""
    check: str
    status: str
    reason: str = ""
    seconds: float = 0.0


def verdict(outcomes: Iterable[Outcome]) -> str:
    """What is wrong with the outcomes of one plugin, or "": a failure, or nothing that ran."""
    seen = list(outcomes)
    failed = [one.check for one in seen if one.status == FAILED]
    if failed:
        return f"broken: {', '.join(failed)}"
    if not any(one.status == PASSED for one in seen):
        return "every check was skipped: nothing is known about this plugin"
    return ""


def by_plugin(outcomes: Iterable[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """Yield (plugin, its outcomes), in order of name."""
    ordered = sorted(outcomes, key=lambda one: one.plugin)
    for plugin, group in groupby(ordered, key=lambda one: one.plugin):
        yield plugin, list(group)


def counted(outcomes: Iterable[Outcome]) -> str:
    """ "30 checks: 27 passed, 3 skipped, 0 failed"."""
    seen = [one.status for one in outcomes]
    return f"{len(seen)} checks: " + ", ".join(f"{seen.count(one)} {one}" for one in (PASSED, SKIPPED, FAILED))


def told(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """The lines of a report: counts for each plugin, the reason of every skip and failure, the verdict."""
    for plugin, group in by_plugin(outcomes):
        yield f"{plugin}  {counted(group)}"
        for status in (SKIPPED, FAILED):
            for one in group:
                if one.status == status:
                    yield f"  {status}  {one.check}: {one.reason.strip()}"
        wrong = verdict(group)
        if wrong:
            yield f"  {wrong}"


def as_data(outcomes: Iterable[Outcome]) -> dict[str, object]:
    """The same for machines: plain values, ready for JSON."""
    return {
        plugin: {
            "checks": len(group),
            **{status: sum(one.status == status for one in group) for status in (PASSED, SKIPPED, FAILED)},
            "verdict": verdict(group) or "kept",
            "outcomes": [asdict(one) for one in group],
        }
        for plugin, group in by_plugin(outcomes)
    }
