"""Sound to model inputs. The interface: a family's extractor says what happens to a waveform."""

from abc import abstractmethod
from typing import Any, ClassVar

from modelry.preprocessing.configured_preprocessor import ConfiguredPreprocessor
from modelry.preprocessing.features import BatchFeature


class FeatureExtractor(ConfiguredPreprocessor):
    """Loaded from and saved as preprocessor_config.json."""

    role: ClassVar[str] = "feature-extractor"
    file_name: ClassVar[str] = "preprocessor_config.json"
    type_key: ClassVar[str] = "feature_extractor_type"

    @abstractmethod
    def __call__(self, raw_speech: Any, *, return_tensors: str | None = None, **parameters: Any) -> BatchFeature:
        """Turn what the user has into model inputs.

        Args:
            raw_speech: a waveform (samples,) or a list of waveforms, at the extractor's sampling_rate in Hz.
            return_tensors: "pt", "np", or None for lists of arrays.
            parameters: replace this preprocessor's own for this call.

        Returns:
            input_values or input_features, and masks.
        """

    def pad(
        self,
        processed_features: Any,
        padding: Any = True,
        max_length: int | None = None,
        truncation: bool = False,
        pad_to_multiple_of: int | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
    ) -> BatchFeature:
        """Lay sounds together that were prepared before. See modelry.preprocessing.audio.prepared.

        Args:
            processed_features: a list of rows, {"input_values": (samples,)} each, or all their values by name.
            padding: True or "longest"; "max_length"; False.
            return_attention_mask: the extractor's own way when None.

        Raises:
            PreprocessorError: rows have nothing to pad, or do not fit together.
        """
        from modelry.preprocessing.audio.prepared import pad_prepared

        padded = pad_prepared(
            processed_features,
            self.parameters.model_dump(),
            padding=padding,
            max_length=max_length,
            truncation=truncation,
            pad_to_multiple_of=pad_to_multiple_of,
            return_attention_mask=return_attention_mask,
        )
        return padded.convert_to_tensors(return_tensors)
