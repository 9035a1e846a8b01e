"""The collator of texts with texts as labels: translation, summarization, speech that was transcribed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from modelry.preprocessing import Tokenizer
from modelry_trainer.collators.labels import IGNORED, Row, filled, label_name, without
from modelry_trainer.collators.padding import DataCollatorWithPadding


@dataclass
class DataCollatorForSeq2Seq:
    """Pads texts, and labels to a length of their own.

    Args:
        model: where given, what its decoder reads (`prepare_decoder_input_ids_from_labels`) joins the batch.
        tokenizer, padding, max_length, pad_to_multiple_of: see `DataCollatorWithPadding`.
        label_pad_token_id: label of padding.
    """

    tokenizer: Tokenizer
    model: Any = None
    padding: bool | str = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    label_pad_token_id: int = IGNORED

    def __call__(self, features: Sequence[Row]) -> dict[str, Any]:
        """Rows with "input_ids" and "labels" (or "label") to tensors (rows, tokens)."""
        name = label_name(features)
        texts = DataCollatorWithPadding(self.tokenizer, self.padding, self.max_length, self.pad_to_multiple_of)
        batch = texts.pad(without(features, "label", "labels"))
        if name is None:
            return batch
        labels = [row[name] for row in features]
        side = self.tokenizer.padding_side
        batch["labels"] = filled(labels, self._width(labels), fill=self.label_pad_token_id, side=side)
        prepare = getattr(self.model, "prepare_decoder_input_ids_from_labels", None)
        if prepare is not None:
            batch["decoder_input_ids"] = prepare(labels=batch["labels"])
        return batch

    def _width(self, labels: Sequence[Any]) -> int:
        if self.padding == "max_length" and self.max_length is not None:
            most = self.max_length
        else:
            most = max(len(one) for one in labels)
        step = self.pad_to_multiple_of or 1
        return -(-most // step) * step
