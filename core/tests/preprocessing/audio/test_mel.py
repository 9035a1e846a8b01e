"""Mel filters and log spectra equal transformers'."""

from collections.abc import Callable

import numpy as np
import pytest
from transformers import audio_utils

from modelry.preprocessing.audio.mel import mel_filters, to_hertz, to_mel
from modelry.preprocessing.audio.spectrogram import hann, logarithm, mel_power


@pytest.mark.parametrize("scale", ["htk", "kaldi", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
@pytest.mark.parametrize("in_mel", [False, True])
def test_filters(scale: str, norm: str | None, in_mel: bool) -> None:
    found = mel_filters(
        bins=257, filters=40, rate=16000, low=20.0, high=7600.0, scale=scale, norm=norm, triangles_in_mel=in_mel
    )
    expected = audio_utils.mel_filter_bank(
        257, 40, 20.0, 7600.0, 16000, norm=norm, mel_scale=scale, triangularize_in_mel_space=in_mel
    )
    assert np.abs(found - expected).max() < 1e-9


@pytest.mark.parametrize("scale", ["htk", "kaldi", "slaney"])
def test_there_and_back(scale: str) -> None:
    hertz = np.linspace(0, 8000, 50)
    assert np.allclose(to_hertz(to_mel(hertz, scale), scale), hertz)


def test_window() -> None:
    for periodic in (True, False):
        assert np.allclose(hann(400, periodic=periodic), audio_utils.window_function(400, "hann", periodic=periodic))


SPECTRA = {
    "plain": ({}, {}),
    "from the left": ({"centered": False}, {"center": False}),
    "amplitude": ({"power": 1.0}, {"power": 1.0}),
    "kaldi": (
        {"centered": False, "preemphasis": 0.97, "remove_offset": True, "fft_length": 512},
        {"center": False, "preemphasis": 0.97, "remove_dc_offset": True, "fft_length": 512},
    ),
}


@pytest.mark.parametrize("case", SPECTRA)
@pytest.mark.parametrize("log", ["log", "log10", "dB"])
def test_spectra(case: str, log: str, noise: Callable) -> None:
    ours, theirs = SPECTRA[case]
    bank = mel_filters(bins=257 if case == "kaldi" else 201, filters=20, rate=16000, high=8000.0)
    samples = noise(200_000)  # more frames than are transformed at once
    found = logarithm(mel_power(samples, bank, window=hann(400), hop=160, **ours), log)
    expected = audio_utils.spectrogram(
        samples, hann(400), 400, 160, mel_filters=bank, log_mel=log, mel_floor=1e-10, **{"power": 2.0, **theirs}
    )
    if log == "dB" and case == "amplitude":
        found = 2 * found  # an amplitude has twenty decibels a decade
    assert found.T.shape == expected.shape
    assert np.abs(found.T - expected).max() < 2e-5
