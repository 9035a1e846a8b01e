"""Rows that were prepared before are padded as transformers pads them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import transformers

from modelry.errors import PreprocessorError
from modelry.preprocessing.audio.log_mel import LogMelExtractor
from modelry.preprocessing.audio.waveform import WaveformExtractor


@pytest.mark.parametrize("settings", [{}, {"padding_side": "left", "padding_value": -1.0}], ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pad_to_multiple_of": 64, "return_attention_mask": True},
        {"padding": "max_length", "max_length": 400, "truncation": True},
    ],
    ids=str,
)
def test_as_published(settings: dict[str, Any], options: dict[str, Any], noise: Callable) -> None:
    rows = [{"input_values": noise(length), "labels": length} for length in (300, 500, 410)]
    ours, theirs = WaveformExtractor(**settings), transformers.Wav2Vec2FeatureExtractor(**settings)
    wanted = theirs.pad([dict(row) for row in rows], return_tensors="np", **options)
    for given in (rows, {name: [row[name] for row in rows] for name in rows[0]}):
        found = ours.pad(given, return_tensors="np", **options)
        assert set(found) == set(wanted)
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value)


def test_a_mask_of_before_stays(noise: Callable) -> None:
    extractor = WaveformExtractor(return_attention_mask=True)
    short = extractor([noise(4), noise(6)], padding=True)
    rows = [{"input_values": short["input_values"][0], "attention_mask": short["attention_mask"][0]}]
    found = extractor.pad([*rows, {"input_values": noise(8), "attention_mask": np.ones(8)}])
    assert found["attention_mask"][0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_spectrograms_have_one_shape(noise: Callable) -> None:
    extractor = LogMelExtractor(feature_size=8, chunk_length=1)
    rows = [{"input_features": extractor(noise(length))["input_features"][0]} for length in (300, 900)]
    assert extractor.pad(rows, return_tensors="pt")["input_features"].shape == (2, 8, 100)
    rows[1]["input_features"] = rows[1]["input_features"][:, :7]
    with pytest.raises(PreprocessorError, match="extract them with padding='max_length'"):
        extractor.pad(rows)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "there are none"),
        ([{"audio": 1}], "the first of 1 has audio"),
        ({"input_values": [[[0.0, 1.0]]]}, "one sound"),
    ],
)
def test_rows_that_cannot_be_padded(rows: Any, words: str) -> None:
    with pytest.raises(PreprocessorError, match=words):
        WaveformExtractor().pad(rows)
