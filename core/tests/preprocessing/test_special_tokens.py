"""Special tokens, added tokens, and the ids and words that a tokenizer knows."""

from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken

from modelry.errors import PreprocessorError
from modelry.preprocessing.tokenizer import Tokenizer


def test_a_word_that_pads_rows_is_still_a_word(gpt2: Tokenizer) -> None:
    before = gpt2("cat on the mat")["input_ids"]
    gpt2.pad_token_id = gpt2.convert_tokens_to_ids("a")
    assert gpt2.pad_token == "a"
    assert gpt2("cat on the mat")["input_ids"] == before
    assert gpt2.decode(before, skip_special_tokens=True) == "cat on the mat"
    assert gpt2(["cat on", "cat"], padding=True)["input_ids"][1][-1] == gpt2.pad_token_id


def test_adding_tokens(gpt2: Tokenizer) -> None:
    size = len(gpt2)
    assert gpt2.add_tokens(["<new>", "<new>", "<|im_end|>", "the"]) == len(gpt2) - size == 1
    assert gpt2.add_special_tokens({"sep_token": "<sep>", "additional_special_tokens": ["<a>", AddedToken("<b>")]}) == 3
    assert gpt2.sep_token == "<sep>"
    assert gpt2.sep_token_id == gpt2.convert_tokens_to_ids("<sep>") == len(gpt2) - 3
    assert gpt2.additional_special_tokens == ["<a>", "<b>"]
    assert gpt2.additional_special_tokens_ids == [len(gpt2) - 2, len(gpt2) - 1]
    assert gpt2.add_special_tokens({"extra_special_tokens": ["<c>"]}, replace_extra_special_tokens=False) == 1
    assert gpt2.extra_special_tokens == ["<a>", "<b>", "<c>"]
    assert gpt2.tokenize("x<sep>y") == ["x", "<sep>", "y"]
    assert gpt2.decode(gpt2.encode("x<sep>y<c>"), skip_special_tokens=True) == "xy"
    assert gpt2.tokenize("<sep>", split_special_tokens=True) != ["<sep>"]
    with pytest.raises(PreprocessorError, match="'sep' is not the name of a special token"):
        gpt2.add_special_tokens({"sep": "x"})
    with pytest.raises(PreprocessorError, match="give a list of tokens"):
        gpt2.add_special_tokens({"additional_special_tokens": "x"})
    with pytest.raises(PreprocessorError, match="cannot add 3 of type int"):
        gpt2.add_tokens([3])  # type: ignore[list-item]


def test_special_tokens_as_attributes(gpt2: Tokenizer) -> None:
    assert gpt2.eos_token == "<|endoftext|>"
    assert gpt2.cls_token is None
    assert gpt2.cls_token_id is None
    gpt2.eos_token_id = 1
    assert gpt2.eos_token == "<|im_start|>"
    with pytest.raises(PreprocessorError, match="cls_token '<cls>' is not in the vocabulary; add it with"):
        gpt2.cls_token = "<cls>"
    with pytest.raises(PreprocessorError, match="cls_token_id 99999 is the id of no token"):
        gpt2.cls_token_id = 99999
    with pytest.raises(PreprocessorError, match="cls_token is 3; a token is a string"):
        gpt2.cls_token = 3  # type: ignore[assignment]
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = gpt2.nothing


def test_a_models_own_special_tokens(published: Any, tmp_path: Path) -> None:
    tokenizer = Tokenizer.from_pretrained(
        published("gpt2"), image_token="<image>", extra_special_tokens={"a_token": "<a>"}
    )
    assert tokenizer.image_token == "<image>"
    assert tokenizer.image_token_id == tokenizer.convert_tokens_to_ids("<image>")
    assert tokenizer.special_tokens_map["a_token"] == "<a>"
    tokenizer.save_pretrained(tmp_path)
    again = Tokenizer.from_pretrained(tmp_path)
    assert again.image_token_id == tokenizer.image_token_id
    assert again.a_token == "<a>"


def test_ids_and_tokens(gpt2: Tokenizer) -> None:
    assert gpt2.convert_ids_to_tokens([0, 1, 5], skip_special_tokens=True) == [gpt2.convert_ids_to_tokens(5)]
    assert gpt2.convert_ids_to_tokens(10**6) is None
    assert gpt2.convert_tokens_to_ids(["nothing like it"]) == [gpt2.unk_token_id]
    assert gpt2.get_special_tokens_mask([0, 5, 1]) == [1, 0, 1]
    with pytest.raises(PreprocessorError, match="return_special_tokens_mask"):
        gpt2.get_special_tokens_mask([0], [1])
    assert bool(gpt2)


def test_begin_and_end_tokens(published: Any) -> None:
    tokenizer = Tokenizer.from_pretrained(published("gpt2"), add_bos_token=True, add_eos_token=True)
    ids = tokenizer.encode("the cat")
    assert ids[0] == tokenizer.bos_token_id
    assert ids[-1] == tokenizer.eos_token_id
    tokenizer.add_bos_token = False
    tokenizer.add_eos_token = False
    assert tokenizer.encode("the cat") == ids[1:-1]
    assert not tokenizer.add_bos_token
    pair = tokenizer("a", "b", return_token_type_ids=True)
    assert pair["token_type_ids"] == [0, 1]
