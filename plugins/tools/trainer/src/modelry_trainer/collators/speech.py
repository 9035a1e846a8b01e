"""The collator of sounds, with a class or a text as label.

B rows   T samples of the longest   U labels of the longest
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from modelry.errors import ParameterError
from modelry.preprocessing import FeatureExtractor, Processor, Tokenizer
from modelry_trainer.collators.labels import IGNORED, Row, filled, label_name, plain, values_tensor

_PREPARED = ("input_values", "input_features")


@dataclass
class DataCollatorForSpeech:
    """Pads sounds, and the labels of what is said in them to a length of their own.

    Args:
        feature_extractor: of the model; or its processor, which has the tokenizer too.
        tokenizer: makes labels of texts, where rows have texts.
        audio_column: sounds, as the extractor takes them (arrays, paths, {"array", "sampling_rate"}, ...).
        text_column: what is said.
        padding: of the sounds: "longest", "max_length", or the extractor's own way when None.
        max_length: samples, for "max_length".
        pad_to_multiple_of: make the length, in samples, a multiple of it.
        decoder_start_token_id: where labels of a row begin with it, it is cut off from all: the model puts it there.
    """

    feature_extractor: FeatureExtractor | Processor
    tokenizer: Tokenizer | None = None
    audio_column: str = "audio"
    text_column: str = "text"
    padding: bool | str | None = None
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    decoder_start_token_id: int | None = None

    def __post_init__(self) -> None:
        """A processor is taken apart."""
        if isinstance(self.feature_extractor, Processor):
            processor: Any = self.feature_extractor
            self.feature_extractor = processor.feature_extractor
            self.tokenizer = processor.tokenizer if self.tokenizer is None else self.tokenizer

    def __call__(self, features: Sequence[Row]) -> dict[str, Any]:
        """Rows with sounds, "input_values" or "input_features" to tensors, with "labels" where there are any.

        Raises:
            ParameterError: a row has none of them; or it has a text, and there is no tokenizer.
        """
        batch = self._sounds(features)
        labels = self._labels(features)
        if labels is not None:
            batch["labels"] = labels
        return batch

    @property
    def columns(self) -> frozenset[str]:
        """Columns that it reads, and no model."""
        return frozenset({self.audio_column, self.text_column})

    def _sounds(self, rows: Sequence[Row]) -> dict[str, Any]:
        extractor: Any = self.feature_extractor
        asked = {"padding": self.padding, "max_length": self.max_length, "pad_to_multiple_of": self.pad_to_multiple_of}
        if all(self.audio_column in row for row in rows):
            chosen = {name: value for name, value in asked.items() if value is not None}
            if "padding" not in chosen and extractor.parameters.model_dump().get("chunk_length") is None:
                chosen["padding"] = True  # an extractor of chunks of one length fills them by itself
            sounds = [row[self.audio_column] for row in rows]
            return dict(extractor(sounds, return_tensors="pt", **chosen))
        name = next((one for one in _PREPARED if all(one in row for row in rows)), None)
        if name is None:
            raise ParameterError(
                f"each row of a batch needs {self.audio_column!r}, 'input_values' or 'input_features'; "
                f"the first has {', '.join(rows[0])}"
            )
        chosen = {"padding": True, **{name: value for name, value in asked.items() if value is not None}}
        prepared = [{name: plain(row[name])} for row in rows]
        return dict(extractor.pad(prepared, return_tensors="pt", **chosen))

    def _labels(self, rows: Sequence[Row]) -> torch.Tensor | None:
        name = label_name(rows)
        if name is not None and not isinstance(plain(rows[0][name]), list):
            return values_tensor([row[name] for row in rows])
        if name is not None:
            labels = [plain(row[name]) for row in rows]
        elif self.text_column in rows[0]:
            if self.tokenizer is None:
                raise ParameterError(f"rows have {self.text_column!r}, and without a tokenizer it makes no labels")
            labels = [self.tokenizer(row[self.text_column])["input_ids"] for row in rows]
        else:
            return None
        start = self.decoder_start_token_id
        if start is not None and all(one[:1] == [start] for one in labels):
            labels = [one[1:] for one in labels]
        return filled(labels, max(map(len, labels)), fill=IGNORED, side="right")
