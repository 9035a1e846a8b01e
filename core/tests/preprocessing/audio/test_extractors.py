"""WaveformExtractor and LogMelExtractor give what transformers' extractors give, and are saved as those are."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from modelry.errors import PreprocessorError
from modelry.preprocessing.audio.log_mel import LogMelExtractor
from modelry.preprocessing.audio.waveform import WaveformExtractor

LENGTHS = (16000, 5003, 160)
SETTINGS: list[dict[str, Any]] = [
    {},
    {"do_normalize": False},
    {"return_attention_mask": True},
    {"padding_side": "left", "return_attention_mask": True},
    {"padding_value": -1.0, "return_attention_mask": True},
]
CALLS: list[dict[str, Any]] = [
    {},
    {"padding": True},
    {"padding": "max_length", "max_length": 6001, "truncation": True},
    {"padding": "longest", "pad_to_multiple_of": 128},
    {"truncation": True, "max_length": 1000},
    {"truncation": True, "max_length": 1000, "pad_to_multiple_of": 128, "padding": True},
]


@pytest.fixture
def sounds(noise: Callable) -> list[np.ndarray]:
    return [noise(length) for length in LENGTHS]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_waveforms(settings: dict[str, Any], sounds: list[np.ndarray]) -> None:
    ours, theirs = WaveformExtractor(**settings), transformers.Wav2Vec2FeatureExtractor(**settings)
    for call in CALLS:
        found, expected = ours(sounds, **call), theirs(sounds, sampling_rate=16000, **call)
        assert found.keys() == expected.keys()
        for name in expected:
            for one, other in zip(found[name], expected[name], strict=True):
                assert one.dtype == other.dtype
                assert np.abs(one - other).max() < 1e-6


SPECTRA: list[dict[str, Any]] = [{}, {"feature_size": 128}, {"chunk_length": 5, "hop_length": 200, "n_fft": 512}]
HEARD: list[dict[str, Any]] = [
    {},
    {"padding": "longest", "truncation": False, "pad_to_multiple_of": 1000},
    {"do_normalize": True, "return_attention_mask": True},
    {"max_length": 8001, "return_attention_mask": True},
    {"padding": "longest", "truncation": False, "return_attention_mask": True},
]


@pytest.mark.parametrize("settings", SPECTRA, ids=str)
def test_log_mel(settings: dict[str, Any], sounds: list[np.ndarray]) -> None:
    ours = LogMelExtractor(**{"chunk_length": 2, **settings})
    theirs = transformers.WhisperFeatureExtractor(**{"chunk_length": 2, **settings})
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(20000) / 16000)
    for given in (sounds, [np.zeros(1000, dtype=np.float32)], [tone.astype(np.float32)]):
        for call in HEARD:
            found = ours(given, return_tensors="np", **call)
            expected = theirs(given, sampling_rate=16000, return_tensors="np", **call)
            assert found.keys() == expected.keys()
            for name in expected:
                assert found[name].shape == expected[name].shape
                assert np.abs(found[name] - expected[name]).max() < 1e-4, call


def test_one_sound_and_tensors(sounds: list[np.ndarray]) -> None:
    found = WaveformExtractor()(sounds[0], return_tensors="pt")
    assert found["input_values"].shape == (1, 16000)
    assert found["input_values"].dtype is torch.float32
    found = LogMelExtractor(chunk_length=1)(sounds, return_tensors="pt", return_attention_mask=True)
    assert found["input_features"].shape == (3, 80, 100)
    assert found["attention_mask"].sum(1).tolist() == [100, 32, 1]
    rows = LogMelExtractor()(sounds, padding=False, truncation=False)["input_features"]
    assert [row.shape[1] for row in rows] == [100, 31, 1]


def test_other_rates(noise: Callable) -> None:
    extractor = WaveformExtractor(do_normalize=False)
    assert len(extractor(noise(8000), sampling_rate=8000)["input_values"][0]) == 16000
    assert len(extractor({"array": noise(4800), "sampling_rate": 48000})["input_values"][0]) == 1600


def test_dither(noise: Callable) -> None:
    still, moved = LogMelExtractor(chunk_length=1), LogMelExtractor(chunk_length=1, dither=0.01)
    apart = np.abs(still(noise(1000))["input_features"][0] - moved(noise(1000))["input_features"][0])
    assert apart.max() > 0.01


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (WaveformExtractor, transformers.Wav2Vec2FeatureExtractor),
        (LogMelExtractor, transformers.WhisperFeatureExtractor),
    ],
)
def test_files_go_both_ways(ours: Any, theirs: Any, tmp_path: Path) -> None:
    theirs(padding_value=0.5, padding_side="left").save_pretrained(tmp_path / "theirs")
    read = ours.from_pretrained(tmp_path / "theirs")
    assert (read.padding_value, read.padding_side) == (0.5, "left")
    read.save_pretrained(tmp_path / "ours")
    before, after = (
        json.loads((tmp_path / name / "preprocessor_config.json").read_text()) for name in ("theirs", "ours")
    )
    assert after == before
    assert (
        transformers.AutoFeatureExtractor.from_pretrained(tmp_path / "ours").to_dict()
        == theirs(padding_value=0.5, padding_side="left").to_dict()
    )


def test_stored_filters_are_made_anew() -> None:
    assert "mel_filters" not in LogMelExtractor(mel_filters=[[0.0]], n_samples=1).to_dict()
    assert LogMelExtractor(chunk_length=2).n_samples == 32000
    assert LogMelExtractor(chunk_length=2).nb_max_frames == 200


def test_refusals(noise: Callable) -> None:
    extractor = WaveformExtractor()
    for call, told in (
        ({"padding": "max_length"}, "padding='max_length' needs a max_length"),
        ({"truncation": True}, "truncation=True needs a max_length"),
        ({"padding": "perhaps"}, "padding is 'perhaps'"),
        ({"max_length": 0, "truncation": True}, "max_length is 0"),
        ({"pad_to_multiple_of": 1.5}, "pad_to_multiple_of is 1.5"),
        ({"do_normalise": True}, "has no parameter do_normalise; it has do_normalize"),
        ({"do_normalize": "perhaps"}, "do_normalize is 'perhaps'"),
        ({"return_tensors": "tf"}, "return_tensors is 'tf'"),
    ):
        with pytest.raises(PreprocessorError, match=told):
            extractor(noise(100), **call)
    with pytest.raises(PreprocessorError, match="one length"):
        extractor([noise(100), noise(50)], return_tensors="pt")
    with pytest.raises(PreprocessorError, match=r"min_frequency 9000\.0 is not below max_frequency"):
        LogMelExtractor(min_frequency=9000.0)
