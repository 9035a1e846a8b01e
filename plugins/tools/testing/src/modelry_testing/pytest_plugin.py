"""What pytest loads: it counts, for each plugin, the checks that ran, and fails a session in which all were skipped.

It imports no torch and no contract, so it costs nothing in a test run that has none.
"""

from collections.abc import Iterable

import pytest

from modelry_testing.outcomes import FAILED, PASSED, SKIPPED, Outcome, by_plugin, told, verdict

_PROPERTY = "modelry_contract"
_CONTRACT = "modelry_testing.contract.Contract"
_OUTCOMES = pytest.StashKey[list[Outcome]]()
_IN_PART = pytest.StashKey[set[str]]()
"""Plugins of which the user chose some checks only: nothing can be said of them as a whole."""


def _subject(item: pytest.Item) -> str | None:
    """What a contract's check is about, None for any other test."""
    owner = getattr(item, "cls", None)
    if owner is None or not any(f"{one.__module__}.{one.__qualname__}" == _CONTRACT for one in owner.__mro__):
        return None
    return str(owner.label())


def pytest_configure(config: pytest.Config) -> None:
    """Start with no outcomes."""
    config.stash[_OUTCOMES], config.stash[_IN_PART] = [], set()
    config.pluginmanager.register(_Counter(config.stash[_OUTCOMES], config.stash[_IN_PART]), "modelry-testing-counter")


def pytest_collection_modifyitems(items: Iterable[pytest.Item]) -> None:
    """Write onto each check which plugin it is about; the note travels with its report, also between processes."""
    for item in items:
        plugin = _subject(item)
        if plugin is not None:
            item.user_properties.append((_PROPERTY, plugin))


class _Counter:
    """Keeps one outcome for each check that was reported."""

    def __init__(self, outcomes: list[Outcome], in_part: set[str]) -> None:
        self.outcomes = outcomes
        self.in_part = in_part

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        self.in_part.update(plugin for plugin in map(_subject, items) if plugin is not None)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        plugin = dict(report.user_properties).get(_PROPERTY)
        if plugin is None or (report.when != "call" and report.passed):
            return
        check = report.nodeid.rpartition("::")[2]
        if report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            outcome = Outcome(str(plugin), check, SKIPPED, reason.removeprefix("Skipped: "), report.duration)
        elif report.failed:
            outcome = Outcome(str(plugin), check, FAILED, _last_line(report), report.duration)
        else:
            outcome = Outcome(str(plugin), check, PASSED, "", report.duration)
        self.outcomes.append(outcome)


def _last_line(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longrepr)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a session that passed because it skipped every check of some plugin."""
    in_part = session.config.stash[_IN_PART]
    outcomes = session.config.stash[_OUTCOMES]
    groups = by_plugin(outcomes)
    if exitstatus == pytest.ExitCode.OK and any(verdict(group) for plugin, group in groups if plugin not in in_part):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the counts and the reasons."""
    outcomes = config.stash[_OUTCOMES]
    if outcomes:
        terminalreporter.section("modelry contracts")
        for line in told(outcomes):
            terminalreporter.write_line(line)
