"""The collator of texts with a label for each token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelry.errors import ParameterError
from modelry.preprocessing import Tokenizer
from modelry_trainer.collators.labels import IGNORED, Row, filled, label_name, without
from modelry_trainer.collators.padding import DataCollatorWithPadding


@dataclass
class DataCollatorForTokenClassification:
    """Pads texts, and their labels with them.

    Args:
        tokenizer, padding, max_length, pad_to_multiple_of: see `DataCollatorWithPadding`.
        label_pad_token_id: label of padding.
    """

    tokenizer: Tokenizer
    padding: bool | str = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    label_pad_token_id: int = IGNORED

    def __call__(self, features: Sequence[Row]) -> dict[str, Any]:
        """Rows with "input_ids" and "labels" (or "label") to tensors (rows, tokens).

        Raises:
            ParameterError: a row has another number of labels than of tokens.
        """
        name = label_name(features)
        texts = DataCollatorWithPadding(self.tokenizer, self.padding, self.max_length, self.pad_to_multiple_of)
        batch = texts.pad(without(features, "label", "labels"))
        if name is not None:
            labels = [row[name] for row in features]
            for number, row in enumerate(features):
                if len(row[name]) != len(row["input_ids"]):
                    raise ParameterError(
                        f"row {number} of the batch has {len(row[name])} labels for {len(row['input_ids'])} tokens: "
                        f"each token needs one, {self.label_pad_token_id} where it does not count"
                    )
            width = batch["input_ids"].shape[1]
            side = self.tokenizer.padding_side
            batch[name] = filled(labels, width, fill=self.label_pad_token_id, side=side)
        return batch
