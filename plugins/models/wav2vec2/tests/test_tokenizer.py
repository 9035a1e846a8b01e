"""The CTC tokenizer decodes as transformers' does, and its files go both ways."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from modelry import AutoProcessor
from modelry.errors import PreprocessorError
from modelry_wav2vec2 import Wav2Vec2CTCTokenizer, Wav2Vec2Processor

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'", "[laugh]"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """vocab.json and preprocessor_config.json."""
    (tmp_path / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(LETTERS)}))
    (tmp_path / "preprocessor_config.json").write_text('{"feature_extractor_type": "Wav2Vec2FeatureExtractor"}')
    (tmp_path / "config.json").write_text('{"model_type": "wav2vec2"}')
    return tmp_path


def both(folder: Path, **settings: Any) -> tuple[Any, Any]:
    theirs = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), **settings)
    return Wav2Vec2CTCTokenizer.from_pretrained(folder, **settings), theirs


ROWS = [
    [12, 12, 0, 9, 16, 16, 0, 16, 19, 4, 4, 27, 0, 19, 22, 22, 16, 8, 0, 0],
    [0, 0, 0],
    [4, 5, 4, 4, 0, 4, 6, 4],
    [32, 3, 1, 7, 7, 2, 0],
    [],
]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"group_tokens": False},
        {"skip_special_tokens": True},
        {"spaces_between_special_tokens": True},
        {"output_word_offsets": True},
        {"output_char_offsets": True, "output_word_offsets": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("settings", [{}, {"do_lower_case": True}, {"replace_word_delimiter_char": "_"}], ids=str)
def test_decoding(options: dict[str, Any], settings: dict[str, Any], folder: Path) -> None:
    ours, theirs = both(folder, **settings)
    for row in ROWS:
        found, expected = ours.decode(row, **options), theirs.decode(row, **options)
        if isinstance(expected, str):
            assert found == expected
        else:
            for key in ("text", "char_offsets", "word_offsets"):
                assert (found.get(key) or None) == (expected.get(key) or None)
    assert ours.decode(torch.tensor(ROWS[0])) == theirs.decode(ROWS[0])


def test_batches(folder: Path) -> None:
    ours, theirs = both(folder)
    assert ours.batch_decode(ROWS) == theirs.batch_decode(ROWS)
    found = ours.batch_decode(ROWS[:3], output_word_offsets=True)
    assert found.word_offsets[0][0] == {"word": "HELLO", "start_offset": 0, "end_offset": 9}
    assert found.text[0] == "HELLO WORLD"
    assert len(found.word_offsets) == 3


@pytest.mark.parametrize("settings", [{}, {"do_lower_case": True}], ids=str)
def test_encoding(settings: dict[str, Any], folder: Path) -> None:
    ours, theirs = both(folder, **settings)
    for text in ("HELLO WORLD", "IT'S", "HA [laugh] HA", "A1B", "<unk>", ""):
        text = text.lower() if settings and "[" not in text and "<" not in text else text
        assert ours(text)["input_ids"] == theirs(text)["input_ids"], text
    found = ours(["AB", "ABC"], padding=True, return_tensors="pt")
    assert found["input_ids"].tolist() == [[5, 6, 0], [5, 6, 7]]


def test_files_go_both_ways(folder: Path, tmp_path: Path) -> None:
    ours = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    ours.add_tokens(["<new>"])
    ours.save_pretrained(tmp_path / "ours")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")
    assert type(theirs).__name__ == "Wav2Vec2CTCTokenizer"
    assert theirs("HI <new>")["input_ids"] == ours("HI <new>")["input_ids"]
    theirs.save_pretrained(tmp_path / "theirs")
    again = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path / "theirs")
    assert again("HI <new>")["input_ids"] == ours("HI <new>")["input_ids"]
    assert again.decode(ROWS[0]) == ours.decode(ROWS[0])


def test_several_languages(tmp_path: Path) -> None:
    plain = {token: number for number, token in enumerate(LETTERS)}
    (tmp_path / "vocab.json").write_text(json.dumps({"eng": plain, "deu": {**plain, "Ü": 33}}))
    with pytest.raises(PreprocessorError, match="vocabularies for 2 languages and target_lang is None"):
        Wav2Vec2CTCTokenizer.from_pretrained(tmp_path)
    ours = Wav2Vec2CTCTokenizer.from_pretrained(tmp_path, target_lang="deu")
    assert ours("ÜB")["input_ids"] == [33, 6]
    ours.save_pretrained(tmp_path / "again")
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path / "again")("ÜB")["input_ids"] == [33, 6]
    assert Wav2Vec2CTCTokenizer.from_pretrained(tmp_path / "again", target_lang="eng")("ÜB")["input_ids"] == [3, 6]


def test_refused(folder: Path) -> None:
    ours = Wav2Vec2CTCTokenizer.from_pretrained(folder)
    with pytest.raises(PreprocessorError, match="a token id is a whole number of at least 0"):
        ours.decode([1, -2])
    (folder / "vocab.json").write_text('{"A": "one"}')
    with pytest.raises(PreprocessorError, match="the id 'one' for 'A'"):
        Wav2Vec2CTCTokenizer.from_pretrained(folder)
    (folder / "vocab.json").write_text("{}")
    with pytest.raises(PreprocessorError, match="has no token; every token"):
        Wav2Vec2CTCTokenizer.from_pretrained(folder)


def test_processor(folder: Path, tmp_path: Path) -> None:
    ours = AutoProcessor.from_pretrained(folder)
    theirs = transformers.Wav2Vec2Processor(
        transformers.Wav2Vec2FeatureExtractor(), transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"))
    )
    assert type(ours) is Wav2Vec2Processor
    sounds = [[0.1 * (number % 7) for number in range(count)] for count in (200, 150)]
    found = ours(sounds, text=["AB", "ABC"], padding=True, return_tensors="pt")
    expected = theirs(sounds, text=["AB", "ABC"], padding=True, return_tensors="pt", sampling_rate=16000)
    assert found.keys() == expected.keys()
    torch.testing.assert_close(found["input_values"], expected["input_values"])
    assert found["labels"].tolist() == expected["labels"].tolist()
    assert ours(text="AB")["input_ids"] == theirs(text="AB")["input_ids"]
    assert ours.batch_decode([[5, 5, 0, 6]]) == ["AB"]
    ours.save_pretrained(tmp_path / "saved")
    assert transformers.Wav2Vec2Processor.from_pretrained(tmp_path / "saved").decode(ROWS[0]) == ours.decode(ROWS[0])
    with pytest.raises(PreprocessorError, match="give audio=, text= or both"):
        ours()
    with pytest.raises(PreprocessorError, match="takes audio and text, no pictures"):
        ours(images=[1])
