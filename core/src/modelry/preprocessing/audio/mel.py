"""Mel scales and filter banks.

K frequency bins   M mel filters
Scales: HTK (O'Shaughnessy 1987), its natural-logarithm form of Kaldi, and Slaney's Auditory Toolbox (1998), which is
linear up to 1 kHz and logarithmic above.
"""

from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Scale = Literal["htk", "kaldi", "slaney"]
Floats = NDArray[np.float64]

KNEE_HERTZ, KNEE_MEL = 1000.0, 15.0
LOG_STEP = np.log(6.4) / 27.0
"""Slaney: 27 mels from 1 to 6.4 kHz."""


def to_mel(hertz: Floats, scale: Scale) -> Floats:
    """Hertz to mels, elementwise."""
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hertz / 700.0)
    if scale == "kaldi":
        return 1127.0 * np.log(1.0 + hertz / 700.0)
    above = KNEE_MEL + np.log(np.maximum(hertz, KNEE_HERTZ) / KNEE_HERTZ) / LOG_STEP
    return np.where(hertz < KNEE_HERTZ, hertz * 3.0 / 200.0, above)


def to_hertz(mel: Floats, scale: Scale) -> Floats:
    """Mels to hertz, elementwise."""
    if scale == "htk":
        return 700.0 * (np.power(10.0, mel / 2595.0) - 1.0)
    if scale == "kaldi":
        return 700.0 * (np.exp(mel / 1127.0) - 1.0)
    return np.where(mel < KNEE_MEL, mel * 200.0 / 3.0, KNEE_HERTZ * np.exp(LOG_STEP * (mel - KNEE_MEL)))


@lru_cache(maxsize=16)
def mel_filters(
    *,
    bins: int,
    filters: int,
    rate: int,
    low: float = 0.0,
    high: float,
    scale: Scale = "htk",
    norm: Literal["slaney"] | None = None,
    triangles_in_mel: bool = False,
) -> Floats:
    """Triangles that overlap by half, evenly spaced in mels from `low` to `high` Hz.

    Args:
        bins: K, half the Fourier transform's length and one.
        filters: M.
        rate: sampling rate in Hz.
        norm: "slaney" gives every triangle the same area; otherwise all have the same height.
        triangles_in_mel: their sides are straight in mels, as Kaldi's, and not in hertz.

    Returns:
        (K, M).
    """
    lowest, highest = to_mel(np.array([low, high]), scale)
    edges = np.linspace(lowest, highest, filters + 2)  # in mels
    corners = to_hertz(edges, scale)
    if triangles_in_mel:
        places = to_mel(np.arange(bins) * rate / (2.0 * (bins - 1)), scale)
    else:
        places, edges = np.linspace(0.0, rate // 2, bins), corners
    rising = (places[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - places[:, None]) / np.diff(edges)[1:]
    bank: Floats = np.maximum(0.0, np.minimum(rising, falling))
    if norm == "slaney":
        bank *= 2.0 / (edges[2:] - edges[:-2])
    bank.setflags(write=False)
    return bank
