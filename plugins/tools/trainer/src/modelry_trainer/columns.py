"""Which columns of a data set a model reads: the others do not reach it (remove_unused_columns)."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import nn

from modelry_trainer.accumulation import unwrapped
from modelry_trainer.errors import BadRow

_LABELS = ("label", "label_ids", "labels")


def read_columns(model: nn.Module, label_names: Collection[str]) -> frozenset[str] | None:
    """Names that forward takes, and the labels'; None where it takes any."""
    parameters = inspect.signature(unwrapped(model).forward).parameters.values()
    named = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    if not named:
        return None
    return frozenset({*named, *label_names, *_LABELS})


def label_columns(model: nn.Module) -> list[str]:
    """Names of forward's arguments that are labels, by the ecosystem's convention."""
    parameters = list(inspect.signature(unwrapped(model).forward).parameters)
    spans = [name for name in ("start_positions", "end_positions") if name in parameters]
    if spans and "QuestionAnswering" in type(unwrapped(model)).__name__:
        return [*[name for name in parameters if "label" in name], *spans]
    return [name for name in parameters if "label" in name] or ["labels"]


def without_unused(collate: Callable[[list[Any]], Any], read: frozenset[str] | None) -> Callable[[list[Any]], Any]:
    """The same collator, given only the columns that the model reads, and those that it says it reads itself."""
    return collate if read is None else _Reading(collate, read | getattr(collate, "columns", frozenset()))


class _Reading:
    """A class and no closure: worker processes that are spawned get it by pickle."""

    def __init__(self, collate: Callable[[list[Any]], Any], read: frozenset[str]) -> None:
        self.collate, self.read = collate, read

    def __call__(self, rows: list[Any]) -> Any:
        return self.collate([self._kept(row) for row in rows])

    def _kept(self, row: Any) -> Any:
        if not isinstance(row, Mapping):
            return row
        kept = {name: value for name, value in row.items() if name in self.read}
        if row and not kept:
            raise BadRow(
                f"none of its columns ({', '.join(map(str, row))}) is an argument of the model's forward "
                f"({', '.join(sorted(self.read))}); rename them, or set remove_unused_columns=False"
            )
        return kept
