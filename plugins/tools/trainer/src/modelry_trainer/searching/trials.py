"""Our own ways to choose the arguments of each trial: at random, or all combinations.

A trial has the methods of optuna's, so that a space that was written for optuna works here.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from modelry_trainer.errors import ArgumentsError


class Trial(Protocol):
    """What a space of parameters is given."""

    number: int

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> Any:
        """A number of an interval, its ends included."""

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> Any:
        """A whole number of an interval, its ends included."""

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of several."""


class RandomTrial:
    """Draws; what it draws is a function of the seed and the number of the trial."""

    def __init__(self, number: int, seed: int) -> None:
        self.number = number
        self._draws = random.Random(f"{seed} {number}")

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> Any:
        if step is not None:
            return low + step * self._draws.randint(0, round((high - low) // step))
        if log:
            return math.exp(self._draws.uniform(math.log(low), math.log(high)))
        return self._draws.uniform(low, high)

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> Any:
        if log:
            return min(high, max(low, round(math.exp(self._draws.uniform(math.log(low), math.log(high))))))
        return self._draws.randrange(low, high + 1, step)

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        return self._draws.choice(list(choices))


class GridTrial:
    """One combination: of each parameter the value at a position.

    Args:
        positions: by name; a name that is new begins at 0. It is filled while the trial is asked.
    """

    def __init__(self, number: int, positions: dict[str, int]) -> None:
        self.number, self.positions = number, positions
        self.counts: dict[str, int] = {}
        """How many values each parameter has."""

    def suggest_float(self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False) -> Any:
        if step is None:
            raise ArgumentsError(
                f"a grid has steps, and {name} has none: give suggest_float a step, list its values in "
                "suggest_categorical, or use backend='random'"
            )
        return self.suggest_categorical(name, [low + step * one for one in range(round((high - low) // step) + 1)])

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> Any:
        return self.suggest_categorical(name, range(low, high + 1, step))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.counts[name] = len(choices)
        return choices[self.positions.setdefault(name, 0)]


class RandomStudy:
    """Trials at random.

    Args:
        seed: of all of them.
    """

    def __init__(self, *, direction: str, seed: int) -> None:
        self._seed, self._asked = seed, 0

    def ask(self) -> RandomTrial:
        """The next trial."""
        self._asked += 1
        return RandomTrial(self._asked - 1, self._seed)

    def tell(self, trial: Any, value: float | None, *, pruned: bool = False) -> None:
        """How good it was; these trials do not learn from each other."""


class GridStudy:
    """All combinations, one after the other."""

    def __init__(self, *, direction: str, seed: int) -> None:
        self._last: GridTrial | None = None

    def ask(self) -> GridTrial | None:
        """The next combination; None behind the last."""
        last = self._last
        if last is None:
            self._last = GridTrial(0, {})
            return self._last
        positions = dict(last.positions)
        for name in reversed(last.counts):
            positions[name] += 1
            if positions[name] < last.counts[name]:
                self._last = GridTrial(last.number + 1, positions)
                return self._last
            positions[name] = 0
        return None

    def tell(self, trial: Any, value: float | None, *, pruned: bool = False) -> None:
        """How good it was; nothing follows from it."""


def default_space(trial: Trial) -> dict[str, Any]:
    """Where nobody says: the ecosystem's space."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 1e-6, 1e-4, log=True),
        "num_train_epochs": trial.suggest_int("num_train_epochs", 1, 5),
        "seed": trial.suggest_int("seed", 1, 40),
        "per_device_train_batch_size": trial.suggest_categorical("per_device_train_batch_size", [4, 8, 16, 32, 64]),
    }


def as_space(space: Any) -> Callable[[Any], Mapping[str, Any]]:
    """A function of a trial; of a mapping of names to values, one that chooses among them."""
    if space is None:
        return default_space
    if callable(space):
        return space  # type: ignore[no-any-return]  # what it returns is checked where it is used
    if isinstance(space, Mapping):
        named = {name: list(values) for name, values in space.items()}
        return lambda trial: {name: trial.suggest_categorical(name, values) for name, values in named.items()}
    raise ArgumentsError(f"hp_space is a {type(space).__name__}: give a function of a trial, or names and their values")
