"""SentencePiece vocabularies: the same pieces as the sentencepiece library makes, and as transformers 5.23."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
from tokenizers import Tokenizer

from modelry.errors import CheckpointError
from modelry_gguf.facts import Facts
from modelry_gguf.sentencepiece import merges_of_scores
from modelry_gguf.tokenizer_files import tokenizer_files
from modelry_gguf.vocabulary import Vocabulary


def build(values: dict[str, Any]) -> Tokenizer:
    import numpy as np

    listed = ("tokenizer.ggml.scores", "tokenizer.ggml.token_type")
    values = {key: np.array(value) if key in listed else value for key, value in values.items()}
    files = tokenizer_files(Facts(values, "a file"))
    assert files is not None
    return Tokenizer.from_str(files["tokenizer.json"])


def test_ids_are_those_of_sentencepiece(
    sentencepiece_model: Path, sentencepiece_tokenizer: dict[str, Any], texts: list[str]
) -> None:
    tokenizer = build(sentencepiece_tokenizer)
    other = sentencepiece.SentencePieceProcessor(model_file=str(sentencepiece_model))
    checked = 0
    for text in texts:
        if "<s>" in text or "</s>" in text:
            continue  # sentencepiece reads control tokens as text
        got = tokenizer.encode(text).ids
        assert got == [other.bos_id(), *other.encode(text)], repr(text)
        assert tokenizer.decode(got) == other.decode(got[1:]), repr(text)
        checked += 1
    assert checked >= 200


def test_ids_and_offsets_are_those_of_transformers(
    tmp_path: Path, write_model: Callable[..., Any], sentencepiece_tokenizer: dict[str, Any], texts: list[str]
) -> None:
    """Where a text begins with a space, transformers' GGUF reader leaves out the prefix that SentencePiece adds
    (see the test above); it adds none at all after a control token."""
    import transformers

    write_model(tmp_path / "tiny.gguf", tokenizer=sentencepiece_tokenizer)
    other = transformers.AutoTokenizer.from_pretrained(tmp_path, gguf_file="tiny.gguf")
    tokenizer = build(sentencepiece_tokenizer)
    checked = 0
    for text in texts:
        if text.startswith((" ", "▁")) or "<s>" in text or "</s>" in text:
            continue
        got = tokenizer.encode(text)
        expected = other(text, return_offsets_mapping=True)
        assert got.ids == expected["input_ids"], repr(text)
        assert got.offsets == expected["offset_mapping"], repr(text)
        checked += 1
    assert checked >= 200


def test_space_prefix_and_end_token_are_the_file_s_choice(sentencepiece_tokenizer: dict[str, Any]) -> None:
    switches = {"add_space_prefix": False, "add_bos_token": False, "add_eos_token": True}
    tokenizer = build(sentencepiece_tokenizer | {f"tokenizer.ggml.{key}": value for key, value in switches.items()})
    encoded = tokenizer.encode("the")
    assert encoded.tokens[-1] == "</s>"
    assert "".join(encoded.tokens[:-1]) == "the"
    assert tokenizer.decode(tokenizer.encode(" the").ids) == " the"


def test_given_merges_are_used(sentencepiece_tokenizer: dict[str, Any]) -> None:
    values = {key: value for key, value in sentencepiece_tokenizer.items() if not key.endswith("scores")}
    tokenizer = build(values | {"tokenizer.ggml.merges": []})
    assert tokenizer.encode("the").tokens == ["<s>", "▁", "t", "h", "e"]


def vocabulary(tokens: dict[str, float], types: list[int] | None = None) -> Vocabulary:
    names = list(tokens)
    return Vocabulary(
        where="a file",
        tokens=names,
        types=types or [1] * len(names),
        ids={name: index for index, name in enumerate(names)},
        named={},
        merges=None,
        scores=list(tokens.values()),
    )


def test_merges_follow_the_scores() -> None:
    tokens = vocabulary({"a": 0, "b": 0, "c": 0, "ab": -2, "bc": -1, "abc": -3})
    assert merges_of_scores(tokens) == [["b", "c"], ["a", "b"], ["a", "bc"], ["ab", "c"]]


def test_control_tokens_are_never_merged_to() -> None:
    assert merges_of_scores(vocabulary({"<": 0, "s": 0, "<s": -1, ">": 0, "<s>": 0}, [1, 1, 1, 1, 3])) == [["<", "s"]]


def test_scores_that_are_no_numbers() -> None:
    with pytest.raises(CheckpointError, match="not a number"):
        merges_of_scores(vocabulary({"a": float("nan")}))


def test_neither_scores_nor_merges(sentencepiece_tokenizer: dict[str, Any]) -> None:
    values = {key: value for key, value in sentencepiece_tokenizer.items() if not key.endswith("scores")}
    with pytest.raises(CheckpointError, match="neither"):
        build(values)
