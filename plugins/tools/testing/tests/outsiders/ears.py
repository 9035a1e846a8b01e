"""A feature extractor, and others with one mistake each."""

from typing import Any

import numpy as np

from modelry.preprocessing.audio.waveform import WaveformExtractor
from modelry.preprocessing.features import BatchFeature


class Ear(WaveformExtractor):
    """Hears as the kernel's does."""


class Deaf(WaveformExtractor):
    """Takes every rate for its own."""

    def __call__(self, raw_speech: Any, **named: Any) -> BatchFeature:
        if isinstance(raw_speech, dict) and "array" in raw_speech:
            raw_speech = np.asarray(raw_speech["array"]).reshape(-1)
        return super().__call__(raw_speech, **named)


class Credulous(WaveformExtractor):
    """Takes what is no number for silence."""

    def __call__(self, raw_speech: Any, **named: Any) -> BatchFeature:
        if isinstance(raw_speech, list) and not isinstance(raw_speech[0], float):
            raw_speech = [np.nan_to_num(one) if isinstance(one, np.ndarray) else one for one in raw_speech]
        return super().__call__(raw_speech, **named)


class Maskless(WaveformExtractor):
    """Forgets its mask."""

    def __call__(self, raw_speech: Any, **named: Any) -> BatchFeature:
        found = super().__call__(raw_speech, **named)
        found.data.pop("attention_mask", None)
        return found
