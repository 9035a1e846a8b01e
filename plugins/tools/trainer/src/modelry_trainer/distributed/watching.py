"""A process that stops does not leave the others waiting: they learn of it from torchrun's store, and end too.

While processes work together each one's heart beats in the store, once a second. One that raises leaves a note there.
Who finds a note, or the next process silent, gives its own work a moment to notice, then ends the process: nothing else
gets a thread out of an operation that waits for the lost one.
"""

import itertools
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, final

from torch.distributed import TCPStore  # type: ignore[attr-defined]  # torch does not list it

from modelry_trainer.distributed.environment import Launched
from modelry_trainer.errors import ProcessLost

BEAT_SECONDS = 1.0
SILENT_SECONDS = 30.0
"""Without a beat, after which the next process is given up: a busy machine may hold one up for a while."""
HELD_UP_SECONDS = 10.0
"""At most so much of a silence is believed at once: who looks after a longer time was stopped itself."""
SUSPECT_SECONDS = 4.0
"""The same where an operation has failed already."""
GRACE_SECONDS = 10.0
_IDLE = 1 << 40
"""Added to the beats of a process that has finished its part."""

_blocks = itertools.count()
"""Of all trainers of this process; each process has the same ones. What the store has of one is not another's."""

_LOST_WORDS = ("gloo", "nccl", "connection", "socket", "timed out", "store")


@final
class Watch:
    """Over the processes, while they work together.

    Args:
        me: this process.
        host, port: of the store.
    """

    def __init__(self, me: Launched, host: str, port: int) -> None:
        self.me, self.place = me, f"{host}:{port}"
        self._store = TCPStore(host, port, None, False, timedelta(seconds=20))
        self._run = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self._block = -1
        self._inside = False

    @contextmanager
    def over(self) -> Iterator[None]:
        """The block in which processes need each other; one block inside of another is the same block.

        Raises:
            ProcessLost: in place of the error that a lost process has caused here.
        """
        if self._inside:
            yield
            return
        self._inside, self._block = True, next(_blocks)
        ended = threading.Event()
        thread = threading.Thread(target=self._watch, args=(ended,), name="modelry-watch", daemon=True)
        thread.start()
        try:
            yield
        except BaseException as error:
            lost = self._whose(error)
            ended.set()
            thread.join(5.0)
            if lost is None:
                self._leave_note(error)
                _record(error)
                raise
            found = ProcessLost(lost)
            _record(found)
            raise found from error
        else:
            ended.set()
            thread.join(5.0)
            self._store.add(self._beats(self.me.rank), _IDLE)
        finally:
            self._inside = False

    # The store

    def _key(self, name: str) -> str:
        return f"modelry/{self._run}/{self._block}/{name}"

    def _beats(self, rank: int) -> str:
        return self._key(f"beat/{rank}")

    def _note(self) -> dict[str, Any] | None:
        key = self._key("stopped")
        if not self._store.check([key]):
            return None
        note: dict[str, Any] = json.loads(self._store.get(key))
        return note

    def _leave_note(self, error: BaseException) -> None:
        """The first one stays. What the store cannot be told any more, torchrun says."""
        words = f"{type(error).__name__}: {error}"
        notes = getattr(error, "__notes__", [])
        note = {"rank": self.me.rank, "host": socket.gethostname(), "words": "; ".join([words, *notes])[:2000]}
        try:
            self._store.compare_set(self._key("stopped"), "", json.dumps(note))
        except RuntimeError:
            return

    def _words(self, note: dict[str, Any]) -> str:
        return f"process {note['rank']} of {self.me.size} (on {note['host']}) has stopped: {note['words']}"

    # Who is lost

    def _watch(self, ended: threading.Event) -> None:
        following = (self.me.rank + 1) % self.me.size
        beats, silent, looked = -1, 0.0, time.monotonic()
        while not ended.wait(BEAT_SECONDS):
            now_looked = time.monotonic()
            # All may have been stopped together (a suspended job): such a time says nothing of the others.
            silent, looked = silent + min(now_looked - looked, HELD_UP_SECONDS), now_looked
            try:
                self._store.add(self._beats(self.me.rank), 1)
                note = self._note()
                reason = None if note is None or note["rank"] == self.me.rank else self._words(note)
                now = self._store.add(self._beats(following), 0)
            except RuntimeError:
                reason, now = self._store_is_gone(), beats
            if now != beats:
                beats, silent = now, 0.0
            elif reason is None and beats < _IDLE and silent > SILENT_SECONDS:
                reason = self._silent(following, SILENT_SECONDS)
            if reason is not None and not ended.wait(GRACE_SECONDS):
                if silent > SILENT_SECONDS and self._beats_again(following, beats):
                    continue
                print(f"modelry: process {self.me.rank} ends: {reason}", file=sys.stderr, flush=True)
                _record(ProcessLost(reason))
                os._exit(1)

    def _beats_again(self, rank: int, before: int) -> bool:
        try:
            return self._store.add(self._beats(rank), 0) != before and self._note() is None
        except RuntimeError:
            return False

    def _whose(self, error: BaseException) -> str | None:
        """What to say of a process that is lost; None where the error is this process's own."""
        if isinstance(error, ProcessLost):
            return str(error)
        waited = isinstance(error, RuntimeError) and any(word in str(error).lower() for word in _LOST_WORDS)
        try:
            note = self._note()
            before = [self._store.add(self._beats(rank), 0) for rank in range(self.me.size)]
            deadline = time.monotonic() + (SUSPECT_SECONDS if waited else 0.0)
            while note is None and time.monotonic() < deadline:
                time.sleep(BEAT_SECONDS / 4)
                note = self._note()
            if note is not None:
                return None if note["rank"] == self.me.rank else self._words(note)
            if not waited:
                return None
            after = [self._store.add(self._beats(rank), 0) for rank in range(self.me.size)]
        except RuntimeError:
            return self._store_is_gone()
        for rank, (first, last) in enumerate(zip(before, after, strict=True)):
            if rank != self.me.rank and first == last < _IDLE:
                lost = self._silent(rank, SUSPECT_SECONDS)
                self._leave_note(ProcessLost(lost))
                return lost
        return None

    def _silent(self, rank: int, seconds: float) -> str:
        return (
            f"process {rank} of {self.me.size} is lost: its heart has not beaten for {seconds:.0f} seconds. It was "
            "killed (for memory, perhaps), or its machine is gone"
        )

    def _store_is_gone(self) -> str:
        return f"the store at {self.place} is gone, and with it process 0 or the torchrun that keeps it"


def _record(error: BaseException) -> None:
    """Tell torchrun, whose summary then says it."""
    if "TORCHELASTIC_ERROR_FILE" in os.environ:
        from torch.distributed.elastic.multiprocessing.errors import get_error_handler

        handler = get_error_handler()
        handler.initialize()
        handler.record_exception(error)
