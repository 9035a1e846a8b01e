"""What one rendering of a chat template may use up. Templates come with a model, so they may be anybody's."""

import sys
import time
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

STEPS = 1_000_000
"""Loop rounds, calls and values looked at."""
CPU_SECONDS = 3.0
LARGEST_VALUE = 4 * 2**20
"""Characters of one string, or values of one list with everything inside."""
LIVE_BYTES = 256 * 2**20
"""All strings and lists that were made and are still in use."""
_SMALL_BYTES = 4096
"""Smaller values are not counted: a template has not enough names for them to matter."""


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
        self._live = LIVE_BYTES + 64 * input_size
        self._made: list[Any] = []
        self._made_bytes = 0
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
        size = sys.getsizeof(value)
        if size > _SMALL_BYTES and not (self._made and self._made[-1] is value):
            self._made.append(value)
            self._made_bytes += size
            if self._made_bytes > self._live:
                self._forget_unused()
            self._look()
        return value

    def _forget_unused(self) -> None:
        """Drop the values that only this list still holds: text that a loop builds up is made anew every round."""
        # Three references are ours: the list, the loop's variable and getrefcount's argument.
        self._made = [value for value in self._made if sys.getrefcount(value) > 3]
        self._made_bytes = sum(map(sys.getsizeof, self._made))
        if self._made_bytes > self._live // 2:
            raise LimitReached(f"it holds strings and lists of {self._made_bytes:,} bytes")

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
