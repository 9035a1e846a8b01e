"""The collator of questions with several answers to choose from.

B questions   C answers to each   T tokens of the longest
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from modelry.errors import ParameterError
from modelry.preprocessing import Tokenizer
from modelry_trainer.collators.labels import Row, label_name
from modelry_trainer.collators.padding import DataCollatorWithPadding


@dataclass
class DataCollatorForMultipleChoice:
    """Pads all answers to one length.

    Args:
        tokenizer, padding, max_length, pad_to_multiple_of: see `DataCollatorWithPadding`.
    """

    tokenizer: Tokenizer
    padding: bool | str = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None

    def __call__(self, features: Sequence[Row]) -> dict[str, Any]:
        """Rows whose columns hold C lists each to tensors (B, C, T), and labels (B,) where there are any.

        Raises:
            ParameterError: a question has another number of answers than the first.
        """
        name = label_name(features)
        choices = len(features[0]["input_ids"])
        for number, row in enumerate(features):
            if len(row["input_ids"]) != choices:
                raise ParameterError(
                    f"row {number} of the batch has {len(row['input_ids'])} answers to choose from, row 0 has {choices}"
                )
        answers = [
            {key: value[number] for key, value in row.items() if key not in ("label", "labels")}
            for row in features
            for number in range(choices)
        ]
        texts = DataCollatorWithPadding(self.tokenizer, self.padding, self.max_length, self.pad_to_multiple_of)
        batch = {key: value.view(len(features), choices, -1) for key, value in texts.pad(answers).items()}
        if name is not None:
            batch["labels"] = torch.tensor([row[name] for row in features], dtype=torch.int64)
        return batch
