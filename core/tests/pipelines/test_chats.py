"""Chats, their answers, and messages whose content is parts."""

import pytest

from modelry.errors import PreprocessorError
from modelry.pipelines.chats import in_parts, is_chat, read_chat, spoken, with_answer

IMAGE = {"type": "image"}


def test_what_is_a_chat() -> None:
    assert is_chat([{"role": "user", "content": "x"}])
    assert is_chat({"messages": []})
    for value in ([], "x", {"text": "x"}, [{"image": "x"}], ["x"]):
        assert not is_chat(value)
    with pytest.raises(PreprocessorError, match="at least one message"):
        read_chat({"messages": []})


def test_an_answer_is_a_message_or_the_rest_of_one() -> None:
    asked = [{"role": "user", "content": "x"}]
    assert with_answer(asked, "y", continues=False) == [*asked, {"role": "assistant", "content": "y"}]
    assert with_answer(asked, "y", continues=True) == [{"role": "user", "content": "xy"}]
    for parts, whole in (
        ([IMAGE, {"type": "text", "text": "a"}], [IMAGE, {"type": "text", "text": "ay"}]),
        ([IMAGE], [IMAGE, {"type": "text", "text": "y"}]),
        ([], [{"type": "text", "text": "y"}]),
    ):
        assert with_answer([{"role": "user", "content": parts}], "y", continues=True)[0]["content"] == whole


def test_the_text_of_a_message() -> None:
    assert spoken({"role": "user", "content": "x"}) == "x"
    assert spoken({"role": "user", "content": [IMAGE, {"type": "text", "text": "a"}, {"text": "b"}]}) == "ab"
    assert spoken({"role": "user"}) == ""


def test_texts_in_parts() -> None:
    seen = {"role": "user", "content": [IMAGE]}
    assert in_parts([{"role": "system", "content": "x"}, seen]) == [
        {"role": "system", "content": [{"type": "text", "text": "x"}]},
        seen,
    ]
