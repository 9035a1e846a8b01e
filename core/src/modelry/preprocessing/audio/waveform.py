"""Raw waveforms for models that hear samples: Wav2Vec2 and its kin (HuBERT, WavLM, SEW, UniSpeech, Data2Vec audio …).

T samples
"""

from typing import Any, ClassVar, cast

import numpy as np

from modelry.preprocessing.audio.padding import Padding, Row, pad_sounds
from modelry.preprocessing.audio.reading import read_sounds
from modelry.preprocessing.audio.resampling import Samples
from modelry.preprocessing.audio.sound_parameters import SoundParameters, for_this_call
from modelry.preprocessing.configured_preprocessor import PreprocessorParameters
from modelry.preprocessing.feature_extractor import FeatureExtractor
from modelry.preprocessing.features import BatchFeature

PUBLISHED_TYPE = "Wav2Vec2FeatureExtractor"
LEAST_VARIANCE = 1e-7


class WaveformParameters(SoundParameters):
    """The published keys."""

    do_normalize: bool = True


class WaveformExtractor(FeatureExtractor):
    """Sounds to mono waveforms at the model's rate, with zero mean and unit variance where the file says so."""

    parameters_class: ClassVar[type[PreprocessorParameters]] = WaveformParameters

    def __call__(
        self,
        raw_speech: Any,
        *,
        sampling_rate: int | None = None,
        padding: Padding = False,
        max_length: int | None = None,
        truncation: bool = False,
        pad_to_multiple_of: int | None = None,
        return_tensors: str | None = None,
        **parameters: Any,
    ) -> BatchFeature:
        """Turn sounds into input_values and, where it is returned, attention_mask.

        A padded row without attention mask is normalised with its padding, as the models without one were trained.

        Args:
            raw_speech: one sound or a list of sounds; modelry.preprocessing.audio.reading says what a sound may be.
            sampling_rate: Hz of arrays that do not say theirs; the model's when None. Other rates are resampled.
            padding: True or "longest"; "max_length"; False.
            max_length: in samples.
            truncation: cut what is longer than max_length.
            pad_to_multiple_of: make the padded length a multiple of it.
            return_tensors: "pt", "np", or None for lists of arrays.
            parameters: replace this extractor's own for this call (do_normalize, return_attention_mask …).

        Raises:
            PreprocessorError: a sound cannot be read (the message names it), or the arguments do not fit together.
        """
        own = for_this_call(self, cast(WaveformParameters, self.parameters), parameters)
        most = max_length if truncation and pad_to_multiple_of is None else None
        rows = pad_sounds(
            read_sounds(raw_speech, rate=own.sampling_rate, given_rate=sampling_rate, most=most),
            padding=padding,
            max_length=max_length,
            truncation=truncation,
            pad_to_multiple_of=pad_to_multiple_of,
            value=own.padding_value,
            side=own.padding_side,
        )
        values = [row.samples for row in rows]
        if own.do_normalize:
            values = [normalized(row, own.padding_value, masked=own.return_attention_mask) for row in rows]
        data: dict[str, Any] = {"input_values": values}
        if own.return_attention_mask:
            data["attention_mask"] = [row.mask for row in rows]
        return BatchFeature(data, tensor_type=return_tensors)

    def to_dict(self) -> dict[str, Any]:
        """The values of the file, under the published name of the class."""
        return {self.type_key: PUBLISHED_TYPE, **self.parameters.model_dump(mode="json")}


def normalized(row: Row, padding_value: float, *, masked: bool) -> Samples:
    """(T,) with zero mean and unit variance; where `masked`, over the sound alone, and the padding stays.

    The statistics are numpy's in float32, as published.
    """
    samples = row.samples
    counted = samples[: row.real.stop - row.real.start] if masked else samples
    found: Samples = (samples - counted.mean()) / np.sqrt(counted.var() + LEAST_VARIANCE)
    if masked:
        length = len(counted)
        found[length:] = padding_value
    return found
