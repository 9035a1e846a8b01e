"""Outputs by attribute, by key and by position."""

import pytest

from modelry.outputs import BaseModelOutput, CausalLMOutputWithPast, QuestionAnsweringOutput


def test_three_ways_in() -> None:
    out = CausalLMOutputWithPast(loss=None, logits="logits", past_key_values="cache")  # type: ignore[arg-type]
    assert out.logits == out["logits"] == out[0] == "logits"
    assert out[1:] == ("cache",)
    assert out.keys() == ("logits", "past_key_values")
    assert dict(out) == dict(out.items()) == {**out} == {"logits": "logits", "past_key_values": "cache"}
    assert out.to_tuple() == out.values() == ("logits", "cache")
    assert len(out) == 2
    assert "logits" in out
    assert "loss" not in out
    assert out.get("loss", 3) == 3


def test_the_loss_comes_first() -> None:
    out = QuestionAnsweringOutput(loss=1, start_logits=2, end_logits=3)  # type: ignore[arg-type]
    assert out[0] == 1
    assert list(out) == ["loss", "start_logits", "end_logits"]


def test_an_absent_value() -> None:
    out = BaseModelOutput(last_hidden_state="x")  # type: ignore[arg-type]
    assert out.attentions is None
    with pytest.raises(KeyError, match="BaseModelOutput has no 'attentions'; it has last_hidden_state"):
        out["attentions"]
    with pytest.raises(IndexError):
        out[1]


def test_names_are_each_class_s_own() -> None:
    assert CausalLMOutputWithPast(logits=1).keys() == ("logits",)  # type: ignore[arg-type]
    assert BaseModelOutput(last_hidden_state=1).keys() == ("last_hidden_state",)  # type: ignore[arg-type]
