"""Sounds: padded as transformers pads them, with classes or texts as labels."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers

from modelry.errors import ParameterError, PreprocessorError
from modelry.preprocessing import Tokenizer
from modelry.preprocessing.audio.log_mel import LogMelExtractor
from modelry.preprocessing.audio.speech_processor import SpeechProcessor
from modelry.preprocessing.audio.waveform import WaveformExtractor
from modelry_trainer.collators import DataCollatorForSpeech

SETTINGS = {"sampling_rate": 16_000, "feature_size": 1, "padding_value": 0.0, "do_normalize": True}


class Speech(SpeechProcessor):
    parts = {"feature_extractor": WaveformExtractor, "tokenizer": Tokenizer}  # noqa: RUF012  as families write it


def sounds() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.standard_normal(length).astype(np.float32) for length in (500, 800, 650)]


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("options", [{}, {"pad_to_multiple_of": 256}, {"padding": "max_length", "max_length": 1000}])
def test_as_published(masked: bool, options: dict) -> None:
    ours = WaveformExtractor(**SETTINGS, return_attention_mask=masked)
    theirs = transformers.Wav2Vec2FeatureExtractor(**SETTINGS, return_attention_mask=masked)
    asked = {"padding": True, **options}
    collator = DataCollatorForSpeech(ours, **options)
    fresh = collator([{"audio": sound} for sound in sounds()])
    expected = theirs(sounds(), sampling_rate=16_000, return_tensors="pt", **asked)
    single = [ours(sound)["input_values"][0] for sound in sounds()]
    before = collator([{"input_values": values, "label": 1} for values in single])
    ready = theirs.pad({"input_values": single}, return_tensors="pt", **asked)
    assert set(fresh) == set(expected)
    assert set(before) == {*ready, "labels"}
    for found, wanted in ((fresh, expected), (before, ready)):
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-5)


def test_texts_become_labels(letters: Any) -> None:
    tokenizer, _ = letters
    texts = ["the inn", "rain", "by the sea"]
    rows = [{"audio": sound, "text": text} for sound, text in zip(sounds(), texts, strict=True)]
    extractor = WaveformExtractor(**SETTINGS, return_attention_mask=True)
    batch = DataCollatorForSpeech(extractor, tokenizer)(rows)
    for text, labels in zip(texts, batch["labels"], strict=True):
        assert tokenizer.decode(labels[labels != -100].tolist()) == text
    ready = [{"audio": row["audio"], "labels": tokenizer(row["text"])["input_ids"]} for row in rows]
    assert torch.equal(DataCollatorForSpeech(extractor)(ready)["labels"], batch["labels"])
    with pytest.raises(ParameterError, match="without a tokenizer it makes no labels"):
        DataCollatorForSpeech(extractor)(rows)


def test_a_processor_is_both(letters: Any) -> None:
    tokenizer, _ = letters
    extractor = WaveformExtractor(**SETTINGS)
    rows = [{"audio": sound, "text": "rain"} for sound in sounds()]
    batch = DataCollatorForSpeech(Speech(feature_extractor=extractor, tokenizer=tokenizer))(rows)
    wanted = DataCollatorForSpeech(extractor, tokenizer)(rows)
    assert {name: value.tolist() for name, value in batch.items()} == {k: v.tolist() for k, v in wanted.items()}


def test_a_collator_of_ones_own(letters: Any) -> None:
    """As scripts write it: the processor pads sounds and labels, and what fills the labels becomes -100."""
    tokenizer, _ = letters
    processor = Speech(feature_extractor=WaveformExtractor(**SETTINGS), tokenizer=tokenizer)
    texts = ["rain", "the inn", "sea"]
    batch = processor.pad([{"input_values": one} for one in sounds()], return_tensors="pt")
    labels = processor.pad(labels=[tokenizer(text) for text in texts], padding="longest", return_tensors="pt")
    both = processor.pad([{"input_values": one} for one in sounds()], [tokenizer(text) for text in texts])
    assert np.array_equal(both["input_values"], batch["input_values"])
    assert both["labels"] == labels["input_ids"].tolist()
    wanted = DataCollatorForSpeech(processor)(
        [{"input_values": one, "text": text} for one, text in zip(sounds(), texts, strict=True)]
    )
    assert torch.equal(batch["input_values"], wanted["input_values"])
    assert torch.equal(labels["input_ids"].masked_fill(labels["attention_mask"].ne(1), -100), wanted["labels"])
    with pytest.raises(PreprocessorError, match="or both"):
        processor.pad()


def test_the_start_of_the_decoder_is_cut_off_and_chunks_are_filled() -> None:
    extractor = LogMelExtractor(feature_size=8, chunk_length=1, sampling_rate=16_000, n_fft=400, hop_length=160)
    rows = [{"audio": sound, "labels": [1, 5, 6 + number]} for number, sound in enumerate(sounds())]
    batch = DataCollatorForSpeech(extractor, decoder_start_token_id=1)(rows)
    assert batch["input_features"].shape == (3, 8, 100)
    assert batch["labels"].tolist() == [[5, 6], [5, 7], [5, 8]]
    ready = [{"input_features": one, "labels": [1, 5]} for one in batch["input_features"]]
    again = DataCollatorForSpeech(extractor, decoder_start_token_id=2)(ready)
    assert torch.equal(again["input_features"], batch["input_features"])
    assert again["labels"].tolist() == [[1, 5]] * 3


def test_a_row_without_a_sound() -> None:
    with pytest.raises(ParameterError, match="the first has text"):
        DataCollatorForSpeech(WaveformExtractor(**SETTINGS))([{"text": "the"}])
