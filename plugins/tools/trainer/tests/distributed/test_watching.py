"""What a process learns of another that stops: two watches over one store, in one process."""

import itertools
from collections.abc import Callable

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
