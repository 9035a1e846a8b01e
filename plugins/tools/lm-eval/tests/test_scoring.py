"""Scores are those of a plain forward pass of each row alone; rows that are alike run once."""

from typing import Any

import pytest
import torch

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_lm_eval.scoring import Continuation, Score, continuation, score

SIZES = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.2,
}


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model("llama", **SIZES)).eval()


def alone(model: Any, asked: Continuation) -> Score:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([asked.read])).logits[0, -len(asked.scored) :]
    chosen = logits.log_softmax(-1)[torch.arange(len(asked.scored)), list(asked.scored)]
    return Score(float(chosen.sum()), logits.argmax(-1).tolist() == list(asked.scored))


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_any_batch_gives_the_same(model: Any, batch_size: int) -> None:
    rows = [([5, 9, 3], [7]), ([5, 9, 3], [8]), ([1], [4, 4, 4, 4]), ([2, 2, 2, 2, 2], [60, 61]), ([5, 9], [3, 7])]
    asked = [continuation(context, ids, limit=10) for context, ids in rows]
    greedy = [int(model(input_ids=torch.tensor([[5, 9, 3]])).logits[0, -1].argmax())]
    asked.append(continuation([5, 9, 3], greedy, limit=10))
    told: list[int] = []
    found = score(model, asked, batch_size=batch_size, done=told.append)
    for one, wanted in zip(found, [alone(model, one) for one in asked], strict=True):
        assert one.log_probability == pytest.approx(wanted.log_probability, abs=1e-5)
        assert one.is_greedy == wanted.is_greedy
    assert found[-1].is_greedy
    assert sum(told) == len(asked)


def test_rows_that_are_alike_run_once(model: Any) -> None:
    ran: list[int] = []
    handle = model.register_forward_pre_hook(
        lambda module, arguments, named: ran.append(named["input_ids"].shape[0]), with_kwargs=True
    )
    asked = [continuation([1, 2, 3], [choice], limit=10) for choice in range(5)]
    score(model, asked, batch_size=4)
    handle.remove()
    assert ran == [1]


def test_what_is_too_long_loses_its_beginning() -> None:
    assert continuation([1, 2, 3, 4], [5, 6], limit=3) == Continuation((3, 4, 5), (5, 6))
    with pytest.raises(ValueError, match="a continuation of 4 tokens is longer than the 3"):
        continuation([1], [1, 2, 3, 4], limit=3)
    with pytest.raises(ValueError, match="there is nothing to score"):
        continuation([1], [], limit=3)
