"""The tokenizer's own promises: bad input, padding, encodings, copies, threads. Parity is in test_parity.py."""

import copy
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy
import pytest
import torch

from modelry.errors import PreprocessorError
from modelry.preprocessing.encoding import BatchEncoding
from modelry.preprocessing.tokenizer import Tokenizer


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((None,), {}, "nothing to tokenize"),
        ((3,), {}, "text is 3 of type int; a string or a list of strings"),
        ((b"x",), {}, "of type bytes.*; decode it first"),
        ((["a", None],), {}, r"text\[1\] is None; a string is expected"),
        ((["a", 2],), {}, r"text\[1\] is 2 of type int"),
        (([{"role": "user", "content": "x"}],), {}, "use apply_chat_template for messages"),
        (("a", 3), {}, "text_pair is 3 of type int"),
        ((["a", "b"], ["c"]), {}, "batch of 2 texts and text_pair is 1 texts"),
        ((["a", "b"], "c"), {}, "text_pair is 'c' of type str"),
        (("ab\ud800c",), {}, r"half a character \('\\ud800' at position 2\)"),
        (("a b",), {"is_split_into_words": True}, "expects a list of words"),
        (([["a"], "b"],), {"is_split_into_words": True}, r"text\[1\] is 'b'"),
        ((["a", 1],), {"is_split_into_words": True}, r"text\[1\] is 1 of type int"),
        (("a",), {"padding": "biggest"}, "padding is 'biggest'; use True, False or one of 'longest'"),
        (("a",), {"truncation": "first"}, "truncation is 'first'; use True"),
        (("a",), {"padding": True, "padding_side": "top"}, "padding_side is 'top'; use 'left' or 'right'"),
        (("a",), {"truncation": True, "max_length": -1}, "max_length is -1"),
        (("a",), {"truncation": True, "max_length": 2.5}, "max_length is 2.5"),
        (("a",), {"pad_to_multiple_of": 0}, "pad_to_multiple_of is 0"),
        (("a",), {"stride": -2}, "stride is -2"),
        (("a",), {"return_tensors": "tf"}, "return_tensors is 'tf'; use 'pt'"),
        ((["a", "a b c"],), {"return_tensors": "pt"}, "'input_ids' cannot become one tensor: it has rows of 1 to 3"),
        ((["a", "a b c"],), {"return_tensors": "np"}, "cannot become one tensor.*Pass padding=True"),
        (("a b c",), {"truncation": True, "max_length": 4, "stride": 4}, "stride 4 is not less than the 4 tokens"),
        (("a b c", "d"), {"truncation": "only_second", "max_length": 2}, "cannot be cut to 2 tokens"),
        (("a",), {"padding": True, "truncation": True, "max_length": 9, "pad_to_multiple_of": 8}, "use max_length 8"),
    ],
)
def test_wrong_calls(gpt2: Tokenizer, arguments: Any, options: Any, message: str) -> None:
    with pytest.raises(PreprocessorError, match=message):
        gpt2(*arguments, **options)


def test_unknown_arguments_are_refused(gpt2: Tokenizer) -> None:
    with pytest.raises(TypeError, match="max_len"):
        gpt2("a", max_len=3)  # type: ignore[call-arg]


def test_no_room_for_the_special_tokens(published: Any) -> None:
    tokenizer = Tokenizer.from_pretrained(published("wordpiece"))
    with pytest.raises(PreprocessorError, match=r"max_length 1 has no room for the 2 special tokens of a text"):
        tokenizer("hello", truncation=True, max_length=1)
    with pytest.raises(PreprocessorError, match=r"max_length 2 has no room for the 3 special tokens of a pair"):
        tokenizer("hello", "you", truncation=True, max_length=2)
    assert tokenizer("hello", truncation=True, max_length=2)["input_ids"] == [2, 3]
    assert len(tokenizer("hello", truncation=True, max_length=1, add_special_tokens=False)["input_ids"]) == 1


def test_padding_without_a_pad_token(gpt2: Tokenizer) -> None:
    gpt2.pad_token = None
    for call in (lambda: gpt2(["a", "b c"], padding=True), lambda: gpt2.pad({"input_ids": [[1], [1, 2]]})):
        with pytest.raises(PreprocessorError, match=r"no pad_token.*tokenizer.pad_token = tokenizer.eos_token"):
            call()
    gpt2.pad_token = gpt2.eos_token
    assert gpt2(["a", "b c"], padding=True)["attention_mask"] == [[1, 0], [1, 1]]
    assert gpt2.pad({"input_ids": [[1], [1, 2]]}, padding=False)["input_ids"] == [[1], [1, 2]]


def test_pad_refuses(gpt2: Tokenizer) -> None:
    with pytest.raises(PreprocessorError, match="pad needs 'input_ids'; it was given labels"):
        gpt2.pad({"labels": [1]})
    with pytest.raises(PreprocessorError, match="different numbers of rows"):
        gpt2.pad({"input_ids": [[1], [2]], "attention_mask": [[1]]})


def test_pad_of_tensors(gpt2: Tokenizer) -> None:
    rows = [{"input_ids": torch.tensor([5, 6])}, {"input_ids": torch.tensor([7])}]
    padded = gpt2.pad(rows, padding_side="left", return_tensors="pt")
    assert padded["input_ids"].tolist() == [[5, 6], [0, 7]]
    assert padded["attention_mask"].tolist() == [[1, 1], [0, 1]]


def test_empty_batch_and_empty_text(gpt2: Tokenizer) -> None:
    assert dict(gpt2([])) == {"input_ids": [], "attention_mask": []}
    assert dict(gpt2("")) == {"input_ids": [], "attention_mask": []}
    assert gpt2("", return_tensors="pt")["input_ids"].shape == (1, 0)
    assert gpt2("", return_tensors="pt")["input_ids"].dtype == torch.int64
    assert gpt2.decode([]) == ""
    assert gpt2.batch_decode([]) == []


def test_an_empty_second_text_makes_a_pair(published: Any) -> None:
    tokenizer = Tokenizer.from_pretrained(published("wordpiece"))
    single = tokenizer("cat", "")["input_ids"]
    assert single == tokenizer(["cat"], [""])["input_ids"][0]
    assert single.count(tokenizer.sep_token_id) == 2


def test_targets_become_labels(gpt2: Tokenizer) -> None:
    both = gpt2(["a b"], text_target=["c d e"])
    assert both["labels"] == gpt2(["c d e"])["input_ids"]
    assert gpt2(text_target="c")["input_ids"] == gpt2("c")["input_ids"]


def test_encode_is_the_ids(gpt2: Tokenizer) -> None:
    assert gpt2.encode("the cat") == gpt2("the cat").input_ids
    assert gpt2.encode("the cat", return_tensors="pt").shape[0] == 1


@pytest.mark.parametrize("ids", [5, [5, 6], numpy.array([5, 6]), torch.tensor([5, 6]), (5, 6)])
def test_decode_takes_ids_of_any_kind(gpt2: Tokenizer, ids: Any) -> None:
    wanted = gpt2.decode([5]) if isinstance(ids, int) else gpt2.decode([5, 6])
    assert gpt2.decode(ids) == wanted


def test_decode_of_batches(gpt2: Tokenizer) -> None:
    batch = gpt2(["a", "the cat"], padding=True, return_tensors="pt")
    assert gpt2.decode(batch["input_ids"], skip_special_tokens=True) == ["a", "the cat"]
    assert gpt2.decode(batch, skip_special_tokens=True) == ["a", "the cat"]
    assert gpt2.batch_decode([torch.tensor([5]), torch.tensor([6])]) == [gpt2.decode(5), gpt2.decode(6)]


@pytest.mark.parametrize("wrong", [[-100], [1, "a"], [1.5], [2**40]])
def test_decode_refuses(gpt2: Tokenizer, wrong: Any) -> None:
    with pytest.raises(PreprocessorError, match=r"cannot decode .*: a token id is a whole number from 0 to"):
        gpt2.decode(wrong)
    with pytest.raises(PreprocessorError, match="cannot decode None of type NoneType: give ids"):
        gpt2.decode(None)


def test_copies_are_apart(gpt2: Tokenizer) -> None:
    for twin in (copy.deepcopy(gpt2), pickle.loads(pickle.dumps(gpt2))):
        assert twin("the cat") == gpt2("the cat")
        twin.add_tokens(["<only here>"])
        assert "<only here>" not in gpt2.get_vocab()


def test_threads_do_not_disturb_each_other(gpt2: Tokenizer) -> None:
    """Padding and truncation are settings of one shared backend."""
    texts = ["the cat sat on the mat", "a"]
    calls = [{"padding": True}, {"truncation": True, "max_length": 2}, {}, {"padding": "max_length", "max_length": 9}]
    wanted = [dict(gpt2(texts, **call)) for call in calls]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: dict(gpt2(texts, **calls[n % 4])), range(400)))
    assert all(one == wanted[n % 4] for n, one in enumerate(found))


def test_encodings_know_their_places(gpt2: Tokenizer) -> None:
    assert gpt2.is_fast
    found = gpt2(["the cat", "a"], padding=True)
    assert found.is_fast
    assert found.n_sequences == 1
    assert found[0].ids == found["input_ids"][0]
    assert found[:1]["input_ids"] == found["input_ids"][:1]
    assert found.token_to_chars(0, -1) is not None
    assert found.word_to_tokens(0, -1) == (1, 2)
    with pytest.raises(IndexError, match="row 5"):
        found.tokens(5)
    with pytest.raises(AttributeError, match="there is no 'labels'; there are input_ids, attention_mask"):
        _ = found.labels
    made = BatchEncoding({"input_ids": [1]})
    assert not made.is_fast
    assert made.encodings is None
    assert made.n_sequences is None
    with pytest.raises(PreprocessorError, match="not made by a tokenizer"):
        made.tokens()
    assert pickle.loads(pickle.dumps(found)).word_ids(0) == found.word_ids(0)
    assert BatchEncoding({"a": [1, 2]}, tensor_type="np", prepend_batch_axis=True)["a"].shape == (1, 2)


def test_to_a_device(gpt2: Tokenizer) -> None:
    found = gpt2("the cat", return_tensors="pt")
    found["note"] = "kept"
    found["pixels"] = torch.zeros(1)
    assert found.to("meta") is found
    assert found["input_ids"].device.type == "meta"
    assert found["note"] == "kept"
    found.to(torch.float16)
    found.to("meta", torch.float16)
    assert found["pixels"].dtype == torch.float16
    assert found["input_ids"].dtype == torch.int64


def test_long_texts_are_named_once(gpt2: Tokenizer, caplog: pytest.LogCaptureFixture) -> None:
    gpt2("the cat " * 100)
    gpt2("the cat " * 100)
    (record,) = caplog.records
    assert re.fullmatch(r"\d+ tokens are more than the model's 64", record.getMessage())


def test_no_torch(run_fresh: Any, published: Any) -> None:
    code = (
        "import sys\n"
        "from modelry import AutoTokenizer, Tokenizer\n"
        f"t = AutoTokenizer.from_pretrained({str(published('gpt2'))!r})\n"
        "assert type(t) is Tokenizer\n"
        "t(['a', 'b c'], padding=True, return_offsets_mapping=True)\n"
        "t.decode(t.encode('a b'))\n"
        "t.apply_chat_template([{'role': 'user', 'content': 'hi'}])\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)\n"
    )
    assert run_fresh(code).split() == ["False", "False"]


def test_a_limit_that_is_none(gpt2: Tokenizer) -> None:
    """Published files of tokenizers without a limit name a number of thirty digits, which people pass on."""
    gpt2.model_max_length = int(1e30)
    expected = gpt2("the cat")
    for lengths in ({}, {"max_length": gpt2.model_max_length}, {"max_length": 1 << 63}):
        assert gpt2("the cat", truncation=True, **lengths) == expected
        assert gpt2("the cat", padding="max_length", truncation=True, **lengths) == expected
    gpt2.model_max_length = 1
    assert gpt2("the cat", truncation=True, max_length=int(1e30)) == expected
