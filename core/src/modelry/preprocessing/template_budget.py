"""What one rendering of a chat template may use up. Templates come with a model, so they may be anybody's."""

import sys
import time
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

STEPS = 2_000_000
"""Loop rounds, calls and values looked at."""
CPU_SECONDS = 5.0
LARGEST_VALUE = 4 * 2**20
"""Characters of one string, or values of one list with everything inside."""
MADE_BYTES = 256 * 2**20
"""All strings and lists that were made, kept or not."""


class LimitReached(Exception):
    """A template used up its budget. No ValueError, so that no filter takes it for its own failure."""


class Budget:
    """The limits of one rendering; larger for larger inputs, whose handling costs more."""

    def __init__(self, input_size: int) -> None:
        """
        Args:
            input_size: characters and values that the template is given.
        """
        self.largest = LARGEST_VALUE + 4 * input_size
        self._steps = STEPS + 64 * input_size
        self._bytes = MADE_BYTES + 1024 * input_size
        self._deadline = time.thread_time() + CPU_SECONDS
        self._next_look = self._steps

    def step(self, count: int = 1) -> None:
        """Spend steps; looks at the clock every few hundred."""
        self._steps -= count
        if self._steps < self._next_look:
            self._look()

    def _look(self) -> None:
        if self._steps < 0:
            raise LimitReached(f"it takes more than {STEPS:,} steps; does it loop for ever?")
        if time.thread_time() > self._deadline:
            raise LimitReached(f"it takes more than {CPU_SECONDS:g} seconds")
        self._next_look = self._steps - 256

    def allow(self, size: int) -> None:
        """Refuse to make a value of more than the largest size, before it is made."""
        if size > self.largest:
            raise LimitReached(f"it makes a value of {size:,} characters or items; {self.largest:,} are allowed")

    def made(self, value: Any) -> Any:
        """Count a new value, which is returned. A list counts with everything inside, as often as it stands there."""
        self.step()
        if isinstance(value, str | bytes):
            self.allow(len(value))
        elif isinstance(value, list | tuple | dict | set | frozenset | KeysView | ValuesView | ItemsView):
            self.size_of(value)
        else:
            return value
        self._bytes -= sys.getsizeof(value)
        if self._bytes < 0:
            raise LimitReached(f"it makes strings and lists of more than {MADE_BYTES:,} bytes")
        if sys.getsizeof(value) > 65536:
            self._look()
        return value

    def size_of(self, value: Any) -> int:
        """Characters and values inside a value: a list that holds another a thousand times has all of them."""
        total, waiting = 0, [value]
        while waiting:
            one = waiting.pop()
            total += 1
            if isinstance(one, str | bytes):
                total += len(one)
            elif isinstance(one, int):
                total += one.bit_length() // 3
            elif isinstance(one, Mapping):
                waiting.extend(one.keys())
                waiting.extend(one.values())
            elif isinstance(one, list | tuple | set | frozenset | KeysView | ValuesView | ItemsView):
                waiting.extend(one)
            self.step()
            self.allow(total + len(waiting))
        return total


_BUDGET: ContextVar[Budget] = ContextVar("chat template budget")


def budget() -> Budget:
    """The budget of the rendering that runs now."""
    return _BUDGET.get()


@contextmanager
def spending(limits: Budget) -> Iterator[Budget]:
    """Make this the budget of the rendering inside."""
    token = _BUDGET.set(limits)
    try:
        yield limits
    finally:
        _BUDGET.reset(token)
