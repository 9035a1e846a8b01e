"""Our tokenizer and transformers' give the same, field by field. transformers is the independent implementation."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelry.preprocessing.tokenizer import Tokenizer

transformers = pytest.importorskip("transformers")

KINDS = ("gpt2", "llama3", "unigram", "wordpiece", "minilm")
KNOWN = [
    *("vocab_size", "model_max_length", "padding_side", "truncation_side", "model_input_names", "pad_token_type_id"),
    *("special_tokens_map", "all_special_tokens", "all_special_ids", "extra_special_tokens"),
    *("bos_token_id", "eos_token_id", "unk_token_id", "sep_token_id", "pad_token_id", "cls_token_id", "mask_token_id"),
    "clean_up_tokenization_spaces",
]
FIELDS = {
    "return_offsets_mapping": True,
    "return_special_tokens_mask": True,
    "return_token_type_ids": True,
    "return_attention_mask": True,
    "return_length": True,
}


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, published: Callable[[str], Path]) -> tuple[Tokenizer, Any]:
    folder = request.getfixturevalue("minilm") if request.param == "minilm" else published(request.param)
    return Tokenizer.from_pretrained(folder), transformers.AutoTokenizer.from_pretrained(folder)


def plain(encoding: Any) -> dict[str, Any]:
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in encoding.items()}


def test_what_it_knows_of_itself(pair: tuple[Tokenizer, Any]) -> None:
    ours, theirs = pair
    for name in KNOWN:
        assert getattr(ours, name) == getattr(theirs, name), name
    assert len(ours) == len(theirs)
    assert ours.get_vocab() == theirs.get_vocab()
    assert ours.get_added_vocab() == theirs.get_added_vocab()
    assert ours.num_special_tokens_to_add(pair=True) == theirs.num_special_tokens_to_add(pair=True)


def test_single_texts(pair: tuple[Tokenizer, Any], varied_texts: list[str]) -> None:
    ours, theirs = pair
    for text in varied_texts:
        found, wanted = ours(text, **FIELDS), theirs(text, **FIELDS)
        assert plain(found) == plain(wanted), text[:60]
        assert found.tokens() == wanted.tokens()
        assert found.word_ids() == wanted.word_ids()
        assert found.sequence_ids() == wanted.sequence_ids()


def test_pairs(pair: tuple[Tokenizer, Any], varied_texts: list[str]) -> None:
    ours, theirs = pair
    second = varied_texts[100:] + varied_texts[:100]
    for special in (True, False):
        found = ours(varied_texts, second, add_special_tokens=special, **FIELDS)
        wanted = theirs(varied_texts, second, add_special_tokens=special, **FIELDS)
        assert plain(found) == plain(wanted)
        assert [found.sequence_ids(row) for row in range(200)] == [wanted.sequence_ids(row) for row in range(200)]


def test_words(pair: tuple[Tokenizer, Any], varied_texts: list[str]) -> None:
    ours, theirs = pair
    words = [text.split(" ") for text in varied_texts if text]
    found = ours(words, is_split_into_words=True, **FIELDS)
    wanted = theirs(words, is_split_into_words=True, **FIELDS)
    assert plain(found) == plain(wanted)
    assert [found.word_ids(row) for row in range(len(words))] == [wanted.word_ids(row) for row in range(len(words))]


@pytest.mark.filterwarnings("ignore:`max_length` is ignored")
@pytest.mark.parametrize("truncation", [None, True, False, "only_first", "only_second", "longest_first"])
def test_padding_and_truncation(pair: tuple[Tokenizer, Any], varied_texts: list[str], truncation: Any) -> None:
    ours, theirs = pair
    texts = [text for text in varied_texts if 30 < len(text) < 400][:5]
    seconds = [text for text in varied_texts if 30 < len(text) < 400][5:10]
    grid = itertools.product(
        (False, True, "max_length"), (None, 16), (None, 8), ("left", "right"), (False, True), (None, seconds)
    )
    compared = 0
    for padding, max_length, multiple, side, overflow, second in grid:
        if truncation in ("only_second",) and second is None:
            continue
        options = {
            "padding": padding,
            "truncation": truncation,
            "max_length": max_length,
            "pad_to_multiple_of": multiple,
            "padding_side": side,
            "return_overflowing_tokens": overflow,
            "stride": 3 if overflow else 0,
        }
        try:
            wanted = plain(theirs(texts, second, **FIELDS, **options))
        except Exception:
            with pytest.raises(ValueError, match=r"cannot be cut|contradict"):
                ours(texts, second, **FIELDS, **options)
            continue
        assert plain(ours(texts, second, **FIELDS, **options)) == wanted, options
        compared += 1
    assert compared > 20


def test_tensors(pair: tuple[Tokenizer, Any], varied_texts: list[str]) -> None:
    ours, theirs = pair
    for kind in ("pt", "np"):
        options = {"padding": True, "truncation": True, "max_length": 32, "return_tensors": kind}
        found, wanted = ours(varied_texts, **options), theirs(varied_texts, **options)
        assert plain(found) == plain(wanted)
        assert all(found[name].dtype == wanted[name].dtype for name in wanted)
        single, theirs_single = ours("Hello", return_tensors=kind), theirs("Hello", return_tensors=kind)
        assert plain(single) == plain(theirs_single)


def test_decoding(pair: tuple[Tokenizer, Any], varied_texts: list[str]) -> None:
    ours, theirs = pair
    rows = ours(varied_texts)["input_ids"]
    for skip, clean in itertools.product((True, False), (True, False, None)):
        assert ours.batch_decode(rows, skip, clean) == theirs.batch_decode(
            rows, skip_special_tokens=skip, clean_up_tokenization_spaces=clean
        )
    assert [ours.tokenize(text) for text in varied_texts] == [theirs.tokenize(text) for text in varied_texts]
    assert ours.convert_ids_to_tokens(rows[5]) == theirs.convert_ids_to_tokens(rows[5])
    tokens = ours.convert_ids_to_tokens(rows[10])
    assert ours.convert_tokens_to_string(tokens) == theirs.convert_tokens_to_string(tokens)


def test_places(pair: tuple[Tokenizer, Any]) -> None:
    ours, theirs = pair
    text = "The cat sat, naïve and 😀 happy."
    found, wanted = ours(text, "A second text."), theirs(text, "A second text.")
    for token in range(len(wanted["input_ids"])):
        assert found.token_to_chars(token) == wanted.token_to_chars(token)
        assert found.token_to_word(token) == wanted.token_to_word(token)
        assert found.token_to_sequence(token) == wanted.token_to_sequence(token)
    for char in range(len(text)):
        assert found.char_to_token(char) == wanted.char_to_token(char)
        assert found.char_to_word(char) == wanted.char_to_word(char)
    for word in range(1 + max(one for one in wanted.word_ids() if one is not None)):
        assert found.word_to_tokens(word) == wanted.word_to_tokens(word)
        assert found.word_to_chars(word) == wanted.word_to_chars(word)


def test_pad_of_encoded_rows(pair: tuple[Tokenizer, Any], varied_texts: list[str]) -> None:
    ours, theirs = pair
    rows = [dict(ours(text, return_special_tokens_mask=True)) for text in varied_texts[:20] if ours(text)["input_ids"]]
    for side, multiple in (("left", None), ("right", 8)):
        options = {"padding_side": side, "pad_to_multiple_of": multiple, "return_tensors": "np"}
        assert plain(ours.pad(rows, **options)) == plain(theirs.pad([dict(row) for row in rows], **options))
    longest = {"padding": "max_length", "max_length": 100}
    assert plain(ours.pad(rows[3], **longest)) == plain(theirs.pad(dict(rows[3]), **longest))


def test_each_loads_what_the_other_saves(pair: tuple[Tokenizer, Any], varied_texts: list[str], tmp_path: Path) -> None:
    ours, theirs = pair
    ours.save_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    wanted = ours(varied_texts, **FIELDS)
    again = Tokenizer.from_pretrained(tmp_path / "ours")
    from_theirs = Tokenizer.from_pretrained(tmp_path / "theirs")
    for loaded in (again, from_theirs, transformers.AutoTokenizer.from_pretrained(tmp_path / "ours")):
        assert plain(loaded(varied_texts, **FIELDS)) == plain(wanted)
        assert loaded.special_tokens_map == ours.special_tokens_map
        assert loaded.padding_side == ours.padding_side
        assert loaded.model_max_length == ours.model_max_length
        assert loaded.chat_template == ours.chat_template
