"""What a kind of training is given, and what it makes of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelry_trainer.command.data.table import Table
from modelry_trainer.command.settings import PreprocessingSettings
from modelry_trainer.errors import BadRow, TrainFileError


@dataclass(frozen=True)
class Given:
    """What rows are made from."""

    train: Table
    evaluated: Table | None
    preprocessor: Any
    """The tokenizer or image processor of the model."""
    config: Any
    """Of the model, as it is stored."""
    settings: PreprocessingSettings
    name: str
    """Of the model, for messages."""

    @property
    def longest(self) -> int | None:
        """Tokens that a row may have; None where neither the settings nor the model say.

        Raises:
            TrainFileError: the settings ask for more than the model takes.
        """
        text = self.config.get_text_config()
        takes = getattr(text, "max_position_embeddings", None)
        asked = self.settings.max_length
        if asked is not None and takes is not None and asked > takes:
            raise TrainFileError(f"preprocessing.max_length is {asked}, and {self.name} takes {takes} tokens")
        known = [one for one in (takes, self.preprocessor.model_max_length) if one is not None and one < 10**9]
        return asked if asked is not None else min(known, default=None)


@dataclass
class Prepared:
    """Rows that a model reads, and what goes with them."""

    train: Any
    evaluated: Any
    collator: Callable[[Any], Callable[[list[Any]], Any]]
    """From the model to the collator."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Values of the model's configuration that the data decide: the names of its labels."""
    metrics: Callable[[Any], Mapping[str, float]] | None = None
    kept: Callable[[Any, Any], Any] | None = None
    """From logits and labels to what the metrics need of them."""
    packs: bool = False
    notes: list[str] = field(default_factory=list)
    """What a person should know about the rows."""


@dataclass
class Lengths:
    """What becomes of rows that are too long, and how many they are."""

    limit: int | None
    overlong: str
    rows: int = 0
    too_long: int = 0
    first: str = ""

    def settled(
        self,
        row: Any,
        length: int,
        place: str,
        *,
        cut: Callable[[int], Any],
        split: Callable[[int], list[Any]] | None = None,
    ) -> list[Any]:
        """The row, or what is left of it.

        Raises:
            BadRow: it is too long, and that is to be an error.
            TrainFileError: rows of this kind cannot be split.
        """
        self.rows += 1
        if self.overlong == "split" and split is None:
            raise TrainFileError(
                "preprocessing.overlong is 'split', which is for plain texts: write cut, drop or refuse"
            )
        if self.limit is None or length <= self.limit:
            return [row]
        self.too_long += 1
        self.first = self.first or place
        if self.overlong == "refuse":
            raise BadRow(f"{place}: the row has {length} tokens, and at most {self.limit} are wanted (max_length)")
        if self.overlong == "drop":
            return []
        return split(self.limit) if self.overlong == "split" and split is not None else [cut(self.limit)]

    def notes(self) -> list[str]:
        """One line on the rows that were too long, where there are any."""
        if not self.too_long:
            return []
        done = {"cut": "cut", "split": "split", "drop": "left out"}[self.overlong]
        return [
            f"{self.too_long} of {self.rows} rows have more than {self.limit} tokens and are {done} "
            f"(the first: {self.first})"
        ]


def text_of(value: Any, place: str, name: str) -> str:
    """A text that is one.

    Raises:
        BadRow: it is something else.
    """
    if not isinstance(value, str):
        raise BadRow(f"{place}: {name!r} is a {type(value).__name__}: a text is needed")
    return value
