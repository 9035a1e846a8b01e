"""A task under test: the folder of its model, its items, and how two of its answers are compared."""

import math
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from modelry import Pipeline, pipeline
from modelry_registry import Task
from modelry_testing.errors import ContractBroken


class Subject:
    """One task with one tiny model. Answers to single items are computed once."""

    def __init__(
        self, task: Task, folder: Path, items: tuple[Any, ...], keywords: Mapping[str, Any], tolerance: float
    ) -> None:
        self.task = task
        self.folder = folder
        self.items = items
        self.keywords = keywords
        self.tolerance = tolerance

    @cached_property
    def pipeline(self) -> Pipeline[Any]:
        """The pipeline that most checks call."""
        return self.made()

    def made(self, folder: Path | None = None, **keywords: Any) -> Pipeline[Any]:
        """A new pipeline."""
        return pipeline(self.task.name, model=folder or self.folder, device="cpu", **keywords)

    def answer(self, inputs: Any, **keywords: Any) -> Any:
        """Call the pipeline with the keywords of the test class."""
        return self.pipeline(inputs, **{**self.keywords, **keywords})

    @cached_property
    def alone(self) -> list[Any]:
        """The answer to each item, one call each."""
        return [self.answer(item) for item in self.items]

    def same(self, found: Any, expected: Any, what: str) -> None:
        """Raise ContractBroken where two answers differ, in more than the last digits of a number."""
        path = difference(found, expected, self.tolerance)
        if path is not None:
            raise ContractBroken(f"{self.task.name}: {what} gives another answer: {path}")


def difference(found: Any, expected: Any, tolerance: float, path: str = "answer") -> str | None:
    """Where and how two answers differ, None where they agree."""
    if hasattr(found, "tolist") and hasattr(expected, "tolist"):
        return difference(found.tolist(), expected.tolist(), tolerance, path)
    if isinstance(found, Mapping) and isinstance(expected, Mapping):
        if found.keys() != expected.keys():
            return f"{path} has the keys {sorted(found)}, and not {sorted(expected)}"
        pairs = [(f"{path}[{key!r}]", found[key], expected[key]) for key in expected]
    elif isinstance(found, list | tuple) and isinstance(expected, list | tuple):
        if len(found) != len(expected):
            return f"{path} has {len(found)} parts, and not {len(expected)}"
        pairs = [
            (f"{path}[{number}]", one, other) for number, (one, other) in enumerate(zip(found, expected, strict=True))
        ]
    elif isinstance(found, float) and isinstance(expected, float | int):
        near = math.isclose(found, expected, rel_tol=tolerance, abs_tol=tolerance)
        return (
            None if near or (math.isnan(found) and math.isnan(expected)) else f"{path} is {found}, and not {expected}"
        )
    else:
        return None if found == expected else f"{path} is {found!r}, and not {expected!r}"
    return next((told for told in (difference(one, other, tolerance, at) for at, one, other in pairs) if told), None)
