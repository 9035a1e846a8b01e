"""What every extractor's preprocessor_config.json says, and how a call replaces it."""

from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import Field

from modelry.errors import PreprocessorError
from modelry.preprocessing.configured_preprocessor import PreprocessorParameters
from modelry.preprocessing.feature_extractor import FeatureExtractor


class SoundParameters(PreprocessorParameters):
    """Published keys that waveform and spectrogram extractors share."""

    feature_size: int = Field(1, gt=0, description="numbers in each step of the input")
    sampling_rate: int = Field(16000, ge=100, le=10_000_000, description="Hz that the model was trained on")
    padding_value: float = 0.0
    padding_side: Literal["right", "left"] = "right"
    return_attention_mask: bool = False


P = TypeVar("P", bound=SoundParameters)


def for_this_call(extractor: FeatureExtractor, own: P, changes: Mapping[str, Any]) -> P:
    """The parameters of one call: the extractor's own, and what the call replaces.

    Raises:
        PreprocessorError: a name that the extractor does not have, or an impossible value.
    """
    if not changes:
        return own
    unknown = sorted(changes.keys() - type(own).model_fields.keys())
    if unknown:
        raise PreprocessorError(
            f"{type(extractor).__name__} has no parameter {', '.join(unknown)}; it has "
            f"{', '.join(sorted(type(own).model_fields))}"
        )
    checked = extractor._check({**own.model_dump(), **changes}, type(extractor).__name__)
    assert isinstance(checked, type(own))
    return checked
