"""A feature extractor and a tokenizer as one: sound to a model's inputs, text to its labels."""

from collections.abc import Mapping
from typing import Any, ClassVar

from modelry.errors import PreprocessorError
from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.preprocessor import Preprocessor
from modelry.preprocessing.processor import Processor

OF_BOTH = ("return_tensors",)
OF_SOUND = (
    *("sampling_rate", "padding", "max_length", "truncation", "pad_to_multiple_of", "return_attention_mask"),
    *("do_normalize",),
)
"""Options of a call with sound and text that are the feature extractor's."""
OF_LABELS = ("padding", "max_length", "pad_to_multiple_of", "return_tensors")
"""Options of `pad` that sounds and labels share."""


class SpeechProcessor(Processor):
    """Families say in `parts` which tokenizer and feature extractor they have."""

    parts: ClassVar[Mapping[str, type[Preprocessor] | str]]
    feature_extractor: Any
    tokenizer: Any

    def __call__(  # type: ignore[override]  # the ecosystem calls speech processors with the sound first
        self, audio: Any = None, text: Any = None, images: Any = None, videos: Any = None, **options: Any
    ) -> BatchFeature:
        """Turn sound, text, or both into model inputs.

        Args:
            audio: one sound or a list of sounds; modelry.preprocessing.audio.reading says what a sound may be.
            text: what is said; with sound it becomes `labels`.
            options: of the feature extractor for sound, of the tokenizer for text. With both, the sound has
                sampling_rate, padding, max_length, truncation, pad_to_multiple_of and return_attention_mask, both have
                return_tensors, and the text is padded where the sound is.

        Raises:
            PreprocessorError: neither, or pictures.
        """
        if images is not None or videos is not None:
            raise PreprocessorError(f"{type(self).__name__} takes audio and text, no pictures")
        if audio is None and text is None:
            raise PreprocessorError("give audio=, text= or both")
        if text is None:
            found: BatchFeature = self.feature_extractor(audio, **options)
            return found
        if audio is None:
            return BatchFeature(dict(self.tokenizer(text, **options)))
        of_sound = {name: value for name, value in options.items() if name in (*OF_SOUND, *OF_BOTH)}
        of_text = {name: value for name, value in options.items() if name not in OF_SOUND}
        if "padding" in options:
            of_text["padding"] = bool(options["padding"]) and options["padding"] != "do_not_pad"
        inputs: BatchFeature = self.feature_extractor(audio, **of_sound)
        inputs["labels"] = self.tokenizer(text, **of_text)["input_ids"]
        return inputs

    def pad(self, input_features: Any = None, labels: Any = None, **options: Any) -> BatchFeature:
        """Lay rows together that were prepared before.

        Args:
            input_features: rows with what the feature extractor made.
            labels: rows with what the tokenizer made of texts, {"input_ids": [...]} each.
            options: of the feature extractor's pad for sounds, of the tokenizer's for labels alone; with both they
                share padding, max_length, pad_to_multiple_of and return_tensors.

        Raises:
            PreprocessorError: neither.
        """
        if input_features is None and labels is None:
            raise PreprocessorError("give input_features=, labels= or both")
        if input_features is None:
            return BatchFeature(dict(self.tokenizer.pad(labels, **options)))
        found: BatchFeature = self.feature_extractor.pad(input_features, **options)
        if labels is not None:
            of_text = {name: value for name, value in options.items() if name in OF_LABELS}
            found["labels"] = self.tokenizer.pad(labels, **of_text)["input_ids"]
        return found
