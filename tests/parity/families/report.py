"""Run the whole table of cases and write docs/parity.md: families by heads by checks.

python tests/parity/families/report.py [arguments of pytest, such as -n 4]
"""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TABLE = HERE.parents[2] / "docs" / "parity.md"
CHECKS = {
    "test_outputs": "outputs",
    "test_fused_attention": "fused attention",
    "test_loss": "loss",
    "test_round_trip": "round trip",
    "test_cache": "cache",
    "test_greedy_generation": "generation",
}
_TEST = re.compile(r"::(\w+)\[([^/]+)/([^/]+)/([^/\]]+)(?:/(\w+))?\]$")


class Collector:
    """A pytest plugin that counts what passed and failed of each family, head and check."""

    def __init__(self) -> None:
        self.passed: Counter[tuple[str, str, str]] = Counter()
        self.failed: Counter[tuple[str, str, str]] = Counter()
        self.configurations: dict[str, set[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        found = _TEST.search(report.nodeid)
        if found is None or report.skipped or (report.when != "call" and not report.failed):
            return
        check, family, configuration, head, _ = found.groups()
        self.configurations.setdefault(family, set()).add(configuration)
        (self.failed if report.failed else self.passed)[family, head, check] += 1


def table(seen: Collector) -> str:
    """The report in Markdown."""
    lines = [
        "# Parity with transformers 5.23.0",
        "",
        "Tiny random models in float32, every head in every configuration of `tests/parity/families/cases/`: all",
        "tensors of the output (hidden states, attention weights, logits) within 1e-5, 1e-4 for sound and scans;",
        "losses of labels; our default attention against their plain one; files that go there and back bit by bit; a",
        "second turn and single steps through the cache; greedy generation. Texts whole and padded on either side. A",
        "cell is the number of comparisons that agree, of those there are; - where a check has no meaning for a head.",
        "",
        "Written by `python tests/parity/families/report.py`.",
        "",
        f"| family | configurations | head | {' | '.join(CHECKS.values())} |",
        f"|---|---|---|{'---|' * len(CHECKS)}",
    ]
    every = seen.passed + seen.failed
    for family, head in sorted({(family, head) for family, head, _ in every}):
        counts = ((seen.passed[family, head, check], every[family, head, check]) for check in CHECKS)
        cells = " | ".join(f"{good} / {total}" if total else "-" for good, total in counts)
        lines.append(f"| {family} | {len(seen.configurations[family])} | {head} | {cells} |")
    agreed, total = seen.passed.total(), every.total()
    return "\n".join([*lines, "", f"{agreed} of {total} comparisons agree.", ""])


if __name__ == "__main__":
    collector = Collector()
    status = pytest.main([str(HERE), "-q", "--no-header", *sys.argv[1:]], plugins=[collector])
    TABLE.write_text(table(collector), encoding="utf-8")
    sys.exit(status)
