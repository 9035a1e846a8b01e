"""What all contracts share: order, memory, and checks that stand on others."""

import pytest

from modelry_registry import Registry
from modelry_testing import Contract, ContractBroken
from modelry_testing.contract import check, run
from modelry_testing.outcomes import Outcome, as_data, counted, told, verdict


class Ladder(Contract):
    """Each rung stands on the one below."""

    kind = "tasks"
    name = "ladder"
    registry = Registry([])

    def test_registered(self) -> None:
        pytest.skip("nothing to register")

    @check(after=("test_registered", "test_of_another_contract"))
    def test_first(self) -> None:
        raise ContractBroken("the first rung is missing")

    @check(after=("test_first",))
    def test_second(self) -> None:
        raise ContractBroken("never reached")

    @check(after=("test_second",))
    def test_third(self) -> None:
        raise ContractBroken("never reached")

    @check()
    def test_beside(self) -> None:
        calls = self.remembered("calls", list)
        assert isinstance(calls, list)
        calls.append(1)


def test_one_mistake_is_one_failure() -> None:
    found = {one.check: (one.status, one.reason) for one in run(Ladder)}
    assert list(found) == ["test_registered", "test_first", "test_second", "test_third", "test_beside"]
    assert found["test_first"] == ("failed", "ContractBroken: the first rung is missing")
    assert found["test_second"] == found["test_third"] == ("skipped", "stands on test_first, which failed")
    assert found["test_beside"][0] == "passed"


def test_a_check_runs_once_a_class() -> None:
    class Again(Ladder):
        pass

    for _ in range(3):
        Again().test_beside()
    assert Again.remembered("calls", list) == [1]
    assert Ladder.remembered("calls", list) is not Again.remembered("calls", list)


def test_verdicts() -> None:
    good, bad, idle = (Outcome("tasks:x", f"test_{one}", one, "why") for one in ("passed", "failed", "skipped"))
    assert verdict([good, idle]) == ""
    assert verdict([good, bad]) == "broken: test_failed"
    assert "nothing is known" in verdict([idle])
    assert counted([good, bad, idle]) == "3 checks: 1 passed, 1 skipped, 1 failed"
    assert list(told([bad]))[1:] == ["  failed  test_failed: why", "  broken: test_failed"]
    assert as_data([good])["tasks:x"]["verdict"] == "kept"
