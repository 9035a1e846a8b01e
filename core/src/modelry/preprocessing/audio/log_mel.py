"""Log-mel spectrograms of Whisper's kind: mel power on a decimal logarithm, eight decades deep, scaled about zero.

T samples   L frames   M filters
"""

from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
from pydantic import Field, model_validator

from modelry.preprocessing.audio.mel import Scale, mel_filters
from modelry.preprocessing.audio.padding import Padding, pad_sounds
from modelry.preprocessing.audio.reading import read_sounds
from modelry.preprocessing.audio.resampling import Samples
from modelry.preprocessing.audio.sound_parameters import SoundParameters, for_this_call
from modelry.preprocessing.audio.spectrogram import hann, logarithm, mel_power
from modelry.preprocessing.audio.waveform import normalized
from modelry.preprocessing.configured_preprocessor import PreprocessorParameters
from modelry.preprocessing.feature_extractor import FeatureExtractor
from modelry.preprocessing.features import BatchFeature

PUBLISHED_TYPE = "WhisperFeatureExtractor"
DECADES = 8.0
"""Power this far below the loudest is cut off."""
DERIVED = ("n_samples", "nb_max_frames", "mel_filters")
"""Keys of published files that follow from the others."""


class LogMelParameters(SoundParameters):
    """The published keys, and the filter bank's, which published files leave at their defaults."""

    feature_size: int = Field(80, gt=0, description="M, mel filters")
    hop_length: int = Field(160, gt=0)
    chunk_length: int = Field(30, gt=0, description="seconds that the model hears at once")
    n_fft: int = Field(400, gt=1)
    dither: float = Field(0.0, ge=0, description="standard deviation of noise that is added to the waveform")
    do_normalize: bool = False
    mel_scale: Scale = "slaney"
    norm: Literal["slaney"] | None = "slaney"
    min_frequency: float = Field(0.0, ge=0)
    max_frequency: float = Field(8000.0, gt=0)

    @model_validator(mode="before")
    @classmethod
    def _without_derived(cls, values: Any) -> Any:
        return (
            {key: value for key, value in values.items() if key not in DERIVED} if isinstance(values, dict) else values
        )

    @model_validator(mode="after")
    def _frequencies_in_order(self) -> Self:
        if self.min_frequency >= self.max_frequency:
            raise ValueError(f"min_frequency {self.min_frequency} is not below max_frequency {self.max_frequency}")
        return self

    @property
    def n_samples(self) -> int:
        """Samples that the model hears at once."""
        return self.chunk_length * self.sampling_rate

    @property
    def nb_max_frames(self) -> int:
        """Frames of them."""
        return self.n_samples // self.hop_length


_UNPUBLISHED = ("mel_scale", "norm", "min_frequency", "max_frequency", "do_normalize")


class LogMelExtractor(FeatureExtractor):
    """Sounds to log-mel spectrograms, (M, L) each, by default of chunk_length seconds."""

    parameters_class: ClassVar[type[PreprocessorParameters]] = LogMelParameters

    def __call__(
        self,
        raw_speech: Any,
        *,
        sampling_rate: int | None = None,
        padding: Padding = "max_length",
        max_length: int | None = None,
        truncation: bool = True,
        pad_to_multiple_of: int | None = None,
        return_tensors: str | None = None,
        **parameters: Any,
    ) -> BatchFeature:
        """Turn sounds into input_features and, where it is returned, attention_mask over their frames.

        Args:
            raw_speech: one sound or a list of sounds; modelry.preprocessing.audio.reading says what a sound may be.
            sampling_rate: Hz of arrays that do not say theirs; the model's when None. Other rates are resampled.
            padding: "max_length"; True or "longest"; False.
            max_length: in samples; chunk_length seconds when None.
            truncation: cut what is longer than max_length; the rest of a file is not even read.
            pad_to_multiple_of: make the padded length, in samples, a multiple of it.
            return_tensors: "pt", "np", or None for lists of arrays.
            parameters: replace this extractor's own for this call (do_normalize, return_attention_mask …).

        Raises:
            PreprocessorError: a sound cannot be read (the message names it), or the arguments do not fit together.
        """
        own = for_this_call(self, cast(LogMelParameters, self.parameters), parameters)
        length = max_length or own.n_samples
        most = length if truncation and pad_to_multiple_of is None else None
        rows = pad_sounds(
            read_sounds(raw_speech, rate=own.sampling_rate, given_rate=sampling_rate, most=most),
            padding=padding,
            max_length=length,
            truncation=truncation,
            pad_to_multiple_of=pad_to_multiple_of,
            value=own.padding_value,
            side=own.padding_side,
        )
        sounds = [row.samples for row in rows]
        if own.do_normalize:
            sounds = [normalized(row, own.padding_value, masked=True) for row in rows]
        data: dict[str, Any] = {"input_features": [log_mel(sound, own) for sound in sounds]}
        if own.return_attention_mask:
            frames = [len(row.samples) // own.hop_length for row in rows]
            data["attention_mask"] = [
                row.mask[:: own.hop_length][:count] for row, count in zip(rows, frames, strict=True)
            ]
        return BatchFeature(data, tensor_type=return_tensors)

    @property
    def n_samples(self) -> int:
        """Samples that the model hears at once."""
        return cast(LogMelParameters, self.parameters).n_samples

    @property
    def nb_max_frames(self) -> int:
        """Frames of them."""
        return cast(LogMelParameters, self.parameters).nb_max_frames

    def to_dict(self) -> dict[str, Any]:
        """The values of the file, under the published name of the class."""
        values = self.parameters.model_dump(mode="json")
        said = self.parameters.model_fields_set
        kept = {key: value for key, value in values.items() if key in said or key not in _UNPUBLISHED}
        derived = {"n_samples": self.n_samples, "nb_max_frames": self.nb_max_frames}
        return {self.type_key: PUBLISHED_TYPE, **derived, **kept}


def log_mel(sound: Samples, settings: LogMelParameters) -> Samples:
    """(M, L) of a waveform (T,), float32. The last frame, which is centred on the end, is left out.

    Radford et al. 2022, https://arxiv.org/abs/2212.04356, section 2.2.
    """
    if settings.dither:
        sound = sound + np.random.default_rng().normal(0.0, settings.dither, len(sound)).astype(np.float32)
    bank = mel_filters(
        bins=1 + settings.n_fft // 2,
        filters=settings.feature_size,
        rate=settings.sampling_rate,
        low=settings.min_frequency,
        high=settings.max_frequency,
        scale=settings.mel_scale,
        norm=settings.norm,
    )
    power = mel_power(sound, bank, window=hann(settings.n_fft), hop=settings.hop_length)
    values = logarithm(power, "log10")[: len(sound) // settings.hop_length]  # (L, M)
    if len(values):
        values = np.maximum(values, values.max() - DECADES)
    return np.ascontiguousarray(((values + 4.0) / 4.0).T, dtype=np.float32)
