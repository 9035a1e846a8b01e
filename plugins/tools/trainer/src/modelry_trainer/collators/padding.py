"""The collator of tokenized texts of different lengths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelry.errors import ParameterError
from modelry.preprocessing import Tokenizer
from modelry_trainer.collators.labels import Row, refuse_no_label


@dataclass
class DataCollatorWithPadding:
    """Pads texts to the longest of the batch; "label" and "label_ids" become "labels".

    Args:
        tokenizer: knows the padding token and its side.
        padding: True or "longest"; "max_length"; False.
        max_length: tokens, for "max_length".
        pad_to_multiple_of: make the length a multiple of it.
    """

    tokenizer: Tokenizer
    padding: bool | str = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None

    def __call__(self, features: Sequence[Row]) -> dict[str, Any]:
        """Rows with "input_ids" to tensors (rows, tokens).

        Raises:
            ParameterError: a label is a text, or None.
        """
        for number, row in enumerate(features):
            if not isinstance(row, Mapping):
                raise ParameterError(f"row {number} of the batch is a {type(row).__name__}: rows are names and values")
            for name in ("label", "label_ids", "labels"):
                if name in row:
                    refuse_no_label(row[name])
        batch = self.pad(features)
        for name in ("label", "label_ids"):
            if name in batch:
                batch["labels"] = batch.pop(name)
        return batch

    def pad(self, features: Sequence[Row]) -> dict[str, Any]:
        """The tokenizer's padding, as this collator was told."""
        padded = self.tokenizer.pad(
            [dict(row) for row in features],
            padding=self.padding,
            max_length=self.max_length,
            pad_to_multiple_of=self.pad_to_multiple_of,
            return_tensors="pt",
        )
        return dict(padded)
