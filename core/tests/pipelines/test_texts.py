"""Items of tasks that read text."""

from typing import Any

import pytest

from modelry.errors import PreprocessorError
from modelry.pipelines.texts import read_pair, read_text, row_features
from modelry.preprocessing.encoding import BatchEncoding


def test_texts_and_rows() -> None:
    assert read_text("a") == read_text({"text": "a", "more": 1}) == "a"
    assert read_text({"query": "b"}, key="query") == "b"
    assert read_pair("a") == ("a", None)
    assert read_pair({"text": "a", "text_pair": "b"}) == ("a", "b")


@pytest.mark.parametrize(
    ("item", "message"),
    [(7, "found int"), ({"words": "a"}, r"a row with the keys \['words'\]"), ({"text": None}, "keys"), (["a"], "list")],
)
def test_what_is_no_text(item: Any, message: str) -> None:
    with pytest.raises(PreprocessorError, match=message):
        read_text(item)


def test_a_pair_of_a_text_and_a_number() -> None:
    with pytest.raises(PreprocessorError, match="text_pair is a int"):
        read_pair({"text": "a", "text_pair": 3})


def test_rows_of_an_encoding() -> None:
    encoding = BatchEncoding({"input_ids": [[1, 2], [3]], "attention_mask": [[1, 1], [1]]})
    found = row_features(encoding, ["input_ids", "token_type_ids"], 1)
    assert found.keys() == {"input_ids"}
    assert found["input_ids"].tolist() == [3]
