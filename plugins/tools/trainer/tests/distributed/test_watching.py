"""What a process learns of another that stops: two watches over one store, in one process."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch does not list it

from modelry_trainer.distributed import watching
from modelry_trainer.distributed.environment import Launched
from modelry_trainer.distributed.watching import Watch
from modelry_trainer.errors import BadRow, ProcessLost


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Watch]:
    """Of one of two processes; all of a test are in their first block."""
    monkeypatch.setattr(watching, "_blocks", itertools.repeat(0))
    monkeypatch.setattr(watching, "SUSPECT_SECONDS", 0.3)
    monkeypatch.delenv("TORCHELASTIC_ERROR_FILE", raising=False)
    store = TCPStore("127.0.0.1", 0, None, True, wait_for_workers=False)
    return lambda rank: Watch(Launched(rank, 2, rank, 2), "127.0.0.1", store.port)


def test_the_error_of_one_is_told_in_place_of_what_it_causes(watch: Callable[[int], Watch]) -> None:
    with pytest.raises(BadRow), watch(1).over():
        raise BadRow("row 7 is bad")
    with (
        pytest.raises(ProcessLost, match=r"process 1 of 2 \(on .*\) has stopped: BadRow: row 7 is bad"),
        watch(0).over(),
    ):
        raise RuntimeError("[gloo/pair.cc] Connection closed by peer")


def test_one_that_is_silent_is_named(watch: Callable[[int], Watch]) -> None:
    with pytest.raises(ProcessLost, match="process 1 of 2 is lost: its heart has not beaten"), watch(0).over():
        raise RuntimeError("[gloo/pair.cc] Connection closed by peer")


def test_an_error_of_ones_own_stays_what_it_is(watch: Callable[[int], Watch]) -> None:
    one = watch(0)
    with pytest.raises(RuntimeError, match="shapes do not fit"), one.over():
        raise RuntimeError("shapes do not fit")
    with one.over(), one.over():
        assert one._note() is not None


def test_one_that_has_finished_is_not_lost(watch: Callable[[int], Watch]) -> None:
    with watch(1).over():
        pass
    with pytest.raises(RuntimeError, match="gloo"), watch(0).over():
        raise RuntimeError("gloo cannot")


class Ended:
    """Stands for the event that ends a watch, and for the clock: each wait takes as long as it may.

    Args:
        looks: how often the watch looks before its block ends.
        late: extra seconds that the third look takes.
        in_grace: called while it waits before it ends the process.
    """

    def __init__(self, looks: int, *, late: float = 0.0, in_grace: Callable[[], object] = int) -> None:
        self.left, self.third, self.late, self.in_grace, self.now = looks, looks - 2, late, in_grace, 0.0

    def wait(self, seconds: float) -> bool:
        if seconds == watching.GRACE_SECONDS:
            self.in_grace()
        else:
            self.now += self.late if self.left == self.third else 0.0
            self.left -= 1
        self.now += seconds
        return self.left < 0


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> Callable[[Watch, Ended], list[int]]:
    """The codes with which a watch would end its process."""
    found: list[int] = []
    monkeypatch.setattr(watching.os, "_exit", found.append)

    def run(one: Watch, ended: Any) -> list[int]:
        with monkeypatch.context() as clock:
            clock.setattr(watching.time, "monotonic", lambda: ended.now)
            one._watch(ended)
        return found

    return run


def test_who_is_silent_for_long_is_lost(watch: Callable[[int], Watch], exits: Any) -> None:
    assert exits(watch(0), Ended(30)) == []
    assert exits(watch(0), Ended(32)) == [1]


def test_a_time_in_which_all_were_stopped_says_nothing(watch: Callable[[int], Watch], exits: Any) -> None:
    assert exits(watch(0), Ended(8, late=1000.0)) == []


def test_a_heart_that_beats_again_is_not_lost(watch: Callable[[int], Watch], exits: Any) -> None:
    one = watch(0)
    assert exits(one, Ended(32, in_grace=lambda: one._store.add(one._beats(1), 1))) == []
