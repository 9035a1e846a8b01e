"""What a toy model says, by enumeration: sequences computed without cache, session or decoder.

R rows   P prompt   N new tokens   V vocabulary
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from modelry import PreTrainedModel
from modelry_testing.models.subject import told_apart
from modelry_testing.toys.family import toy_model
from modelry_testing.toys.modeling import ToyForCausalLM, scaled_logits

VOCABULARY = 7
NEW = 4
LONG = 8
SURE, UNSURE = 400.0, 1.5
LEAD = 20.0
"""Logits by which the first choice leads the second where there is no choice: 2e-9 of the probability is left."""
PROMPTS = ((1, 5, 2, 3), (6, 2), (4,))
"""Of different lengths, so that a batch has padding."""


def certain_model() -> ToyForCausalLM:
    """A model that leaves no choice: one sequence after each prompt has nearly all of the probability.

    The first prompt is continued with a third token that stands nowhere before, so that a test can make it the end.
    """

    def leaves_no_choice(model: ToyForCausalLM) -> bool:
        path = greedy_path(model, PROMPTS[0], LONG)
        new = path[2] not in path[:2] and len(set(path[:4])) > 2
        return new and all(least_lead(model, one, LONG) > LEAD for one in PROMPTS)

    return _search(SURE, leaves_no_choice)


def tempting_model() -> ToyForCausalLM:
    """A model in which the most likely next token leads away from the most likely sequence of NEW tokens."""

    def tempts(model: ToyForCausalLM) -> bool:
        (best, first), (_, second) = best_sequences(model, PROMPTS[0], NEW, count=2)
        return best != greedy_path(model, PROMPTS[0], NEW) and first - second > 0.1

    return _search(UNSURE, tempts)


def _search(factor: float, fits: Callable[[ToyForCausalLM], bool]) -> ToyForCausalLM:
    for seed in range(200):
        model = told_apart(_small(), seed=seed)
        assert isinstance(model, ToyForCausalLM)
        scaled_logits(model, factor)
        if fits(model):
            return model
    raise AssertionError("no seed gives such a toy")


def _small() -> PreTrainedModel:
    none: dict[str, Any] = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    return toy_model(vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, **none)


@torch.inference_mode()
def greedy_path(model: ToyForCausalLM, prompt: tuple[int, ...], new: int) -> tuple[int, ...]:
    """The `new` tokens that are each the most likely next one, by full forward passes."""
    ids = list(prompt)
    for _ in range(new):
        ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


@torch.inference_mode()
def least_lead(model: ToyForCausalLM, prompt: tuple[int, ...], new: int) -> float:
    """By how much the most likely token leads the second at the closest of `new` steps."""
    ids = torch.tensor([[*prompt, *greedy_path(model, prompt, new)]])
    first, second = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].topk(2).values.unbind(-1)
    return float((first - second).min())


@torch.inference_mode()
def best_sequences(
    model: ToyForCausalLM, prompt: tuple[int, ...], new: int, *, count: int
) -> list[tuple[tuple[int, ...], float]]:
    """The `count` most likely continuations of `new` tokens, and their log probabilities, among all V ** N."""
    tails = torch.cartesian_prod(*[torch.arange(VOCABULARY)] * new).reshape(-1, new)  # (R, N)
    ids = torch.cat([torch.tensor(prompt).expand(len(tails), -1), tails], dim=1)  # (R, P + N)
    scores = log_probability(model, ids, new)
    best = scores.topk(count)
    return [(tuple(tails[row].tolist()), float(score)) for row, score in zip(best.indices, best.values, strict=True)]


@torch.inference_mode()
def log_probability(model: ToyForCausalLM, ids: Tensor, new: int) -> Tensor:
    """Log probability (R,) of the last `new` tokens of ids (R, P + N), given those before."""
    scores: Tensor = model(input_ids=ids[:, :-1]).logits[:, -new:].log_softmax(-1)  # (R, N, V)
    return scores.gather(-1, ids[:, -new:, None])[..., 0].sum(-1)
