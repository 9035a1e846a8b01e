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
