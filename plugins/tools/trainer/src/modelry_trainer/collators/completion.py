"""The collator of chats: the model learns what the assistant says, and only reads the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from modelry.errors import ParameterError
from modelry.preprocessing import Tokenizer
from modelry_trainer.collators.assistant_turns import tokenized
from modelry_trainer.collators.labels import IGNORED, Row, filled, plain
from modelry_trainer.collators.padding import DataCollatorWithPadding


@dataclass
class DataCollatorForCompletionOnly:
    """Pads chats; labels are -100 but for what the assistant says, the end of its turns included.

    Args:
        max_length: tokens; what is longer is cut at the end.
        messages_column: the column of chats; a column "tools" beside it is handed to the template.
        tokenizer, pad_to_multiple_of: see `DataCollatorWithPadding`.
    """

    tokenizer: Tokenizer
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    messages_column: str = "messages"

    def __call__(self, features: Sequence[Row]) -> dict[str, Any]:
        """Rows with chats, or with "input_ids" and "assistant_masks", to tensors (rows, tokens)."""
        rows = [self.tokenize(row) for row in features]
        texts = DataCollatorWithPadding(self.tokenizer, pad_to_multiple_of=self.pad_to_multiple_of)
        batch = texts.pad([{"input_ids": row["input_ids"]} for row in rows])
        labels = [row["labels"] for row in rows]
        width, side = batch["input_ids"].shape[1], self.tokenizer.padding_side
        if "attention_mask" not in batch:
            real = [[1] * len(one) for one in labels]
            batch["attention_mask"] = filled(real, width, fill=0, side=side)
        batch["labels"] = filled(labels, width, fill=IGNORED, side=side)
        return batch

    @property
    def columns(self) -> frozenset[str]:
        """Columns that it reads, and no model."""
        return frozenset({self.messages_column, "tools", "assistant_masks"})

    def tokenize(self, row: Row) -> dict[str, list[int]]:
        """One chat as "input_ids" and "labels": to be done once over a data set, or for packing.

        Raises:
            ParameterError: the row has no chat, or where the assistant speaks is not known.
        """
        if "labels" in row and "input_ids" in row:
            ids, labels = plain(row["input_ids"]), plain(row["labels"])
            return {"input_ids": ids[: self.max_length], "labels": labels[: self.max_length]}
        if "assistant_masks" in row and "input_ids" in row:
            ids = plain(row["input_ids"])[: self.max_length]
            said = [bool(one) for one in plain(row["assistant_masks"])][: self.max_length]
        elif row.get(self.messages_column):
            values = {"tools": row["tools"]} if row.get("tools") else {}
            ids, said = tokenized(self.tokenizer, row[self.messages_column], max_length=self.max_length, **values)
        else:
            raise ParameterError(
                f"a row has {', '.join(row) or 'no columns'}; a chat stands in {self.messages_column!r}, or it is "
                "tokenized already: 'input_ids' with 'assistant_masks'"
            )
        kept = torch.where(torch.tensor(said, dtype=torch.bool), torch.tensor(ids, dtype=torch.int64), IGNORED)
        return {"input_ids": ids, "labels": kept.tolist()}
