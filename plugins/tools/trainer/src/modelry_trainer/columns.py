"""Which columns of a data set a model reads: the others do not reach it (remove_unused_columns)."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from torch import nn

from modelry.model import PreTrainedModel
from modelry_trainer.accumulation import forward_names, unwrapped
from modelry_trainer.errors import BadRow

_LABELS = ("label", "label_ids", "labels")


def read_columns(model: nn.Module, label_names: Collection[str]) -> frozenset[str] | None:
    """Names that forward takes, and the labels'; None where it takes any."""
    named = _named(unwrapped(model))
    return frozenset({*named, *label_names, *_LABELS}) if named else None


def _named(model: nn.Module) -> set[str]:
    """What forward names; of a head that hands the rest on, also what its base model names (token_type_ids)."""
    parameters = forward_names(model).values()
    named = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    hands_on = any(one.kind is one.VAR_KEYWORD for one in parameters)
    base = model.base_model if hands_on and isinstance(model, PreTrainedModel) else model
    return named if base is model else named | _named(base)


def label_columns(model: nn.Module) -> list[str]:
    """Names of forward's arguments that are labels, by the ecosystem's convention."""
    parameters = list(forward_names(model))
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
