"""The classes of a classification: read from the data, or those that the model has already."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelry_trainer.command.data.table import Table
from modelry_trainer.errors import BadRow, TrainFileError


@dataclass(frozen=True)
class Classes:
    """Values of a label column and their numbers."""

    numbers: Mapping[Any, int]
    """Value in the data to the number of its class."""
    config: Mapping[str, Any]
    """What the model's configuration says of them, where it does not say it yet."""
    count: int
    """Of the model's classes, which may be more than those of the data."""

    def number(self, value: Any, place: str) -> int:
        """The class of a value.

        Raises:
            BadRow: no row for learning has it.
        """
        try:
            return self.numbers[value]
        except (KeyError, TypeError):
            known = ", ".join(str(one) for one in list(self.numbers)[:8])
            more = ", ..." if len(self.numbers) > 8 else ""
            raise BadRow(
                f"{place}: the label {value!r} is none of the {len(self.numbers)} classes ({known}{more})"
            ) from None


def find_classes(values: Sequence[tuple[str, Any]], table: Table, *, column: str, config: Any) -> Classes:
    """The classes of a column: the model's own where it has them all, else those of the data, in their order.

    Args:
        values: place and value of each label.
        config: of the model.

    Raises:
        BadRow: a label is neither a text nor a whole number, or some are of one kind and some of the other.
        TrainFileError: there is only one.
    """
    names = table.class_names.get(column)
    seen: dict[Any, str] = {}
    for place, value in values:
        if not isinstance(value, str | int):
            raise BadRow(f"{place}: the label is a {type(value).__name__}: a text or a whole number is needed")
        if seen and type(value) is not type(next(iter(seen))):
            first, where = next(iter(seen.items()))
            raise BadRow(f"{place}: the label is {value!r}, and {where} has {first!r}: write all in one way")
        if names is not None and isinstance(value, int) and not 0 <= value < len(names):
            raise BadRow(f"{place}: the label is {value}, and the data set names {len(names)} classes")
        seen.setdefault(value, place)
    words = names if names is not None else [str(value) for value in sorted(seen)]
    order = list(range(len(words))) if names is not None else sorted(seen)
    own: Mapping[str, int] = config.label2id
    if set(words) <= set(own):
        return Classes({value: own[word] for value, word in zip(order, words, strict=True)}, {}, len(own))
    if len(words) < 2:
        raise TrainFileError(
            f"all {len(values)} labels of {table.name} are {words[0]!r}: nothing can be learnt from one"
        )
    return Classes(
        {value: number for number, value in enumerate(order)},
        {"id2label": dict(enumerate(words)), "label2id": {word: number for number, word in enumerate(words)}},
        len(words),
    )
