"""Short-time spectra: frames of a waveform, their power, summed by a filter bank, as logarithms.

T samples   L frames   W frame length   K frequency bins   M filters
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Logarithm = Literal["log", "log10", "dB"]
FRAMES = 128
"""Frames transformed at once: about a megabyte, which stays in a core's cache (3,000 frames of 400 samples: 16
milliseconds; 1,024 at once: 20 to 29)."""


def hann(length: int, *, periodic: bool = True) -> Floats:
    """The raised cosine, (W,); the periodic one is that of spectra."""
    return 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / (length if periodic else length - 1))


def mel_power(
    waveform: NDArray[np.float32],
    bank: Floats,
    *,
    window: Floats,
    hop: int,
    fft_length: int | None = None,
    power: float = 2.0,
    centered: bool = True,
    preemphasis: float = 0.0,
    remove_offset: bool = False,
) -> Floats:
    """Spectrum of each frame, to the power of `power`, summed by the bank. Computed in float64.

    Args:
        waveform: (T,).
        bank: (K, M).
        window: (W,).
        hop: samples from one frame to the next.
        fft_length: W when None; more pads each frame with zeros.
        centered: frame i is centred on sample i * hop, the ends mirrored; otherwise it begins there.
        preemphasis: share of the previous sample that is subtracted, within each frame.
        remove_offset: subtract each frame's mean first.

    Returns:
        (L, M).
    """
    width = len(window)
    if centered:
        waveform = np.pad(waveform, width // 2, mode="reflect")
    if len(waveform) < width:
        return np.zeros((0, bank.shape[1]))
    frames = np.lib.stride_tricks.sliding_window_view(waveform, width)[::hop]  # (L, W), a view
    summed = np.empty((len(frames), bank.shape[1]))
    for begin, part in _parts(frames):
        if remove_offset:
            part -= part.mean(axis=1, keepdims=True)
        if preemphasis:
            part[:, 1:] -= preemphasis * part[:, :-1]  # numpy reads the right side before it writes
            part[:, 0] *= 1.0 - preemphasis
        spectrum = np.abs(np.fft.rfft(np.multiply(part, window, out=part), n=fft_length))  # (up to FRAMES, K)
        summed[begin : begin + len(part)] = (np.square(spectrum) if power == 2.0 else spectrum**power) @ bank
    return summed


def _parts(frames: NDArray[np.float32]) -> Iterator[tuple[int, Floats]]:
    for begin in range(0, len(frames), FRAMES):
        yield begin, frames[begin : begin + FRAMES].astype(np.float64)


def logarithm(values: Floats, kind: Logarithm, *, floor: float = 1e-10) -> Floats:
    """The natural or decimal logarithm, or decibels of a power, of values that are at least `floor`."""
    values = np.maximum(values, floor)
    if kind == "log":
        return np.log(values)
    decimal: Floats = np.log10(values)
    return decimal if kind == "log10" else 10.0 * decimal
