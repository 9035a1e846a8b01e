"""Sequences, scores and beam indices are those of transformers, on tiny random models whose beams collide."""

import itertools

import pytest
import torch
from transformers import StoppingCriteriaList

IDS = torch.tensor([[3, 4, 7, 9], [2, 5, 11, 6]])
MASK = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
BEAMS = [(2, 1), (4, 4), (3, 2), (9, 9)]
ENDS = [None, [1], [1, 2, 5]]
ENDINGS = list(itertools.product((1.0, 0.0, -1.5, 2.0), (False, True, "never")))
KINDS = {
    "plain": {},
    "processors": {"repetition_penalty": 1.4, "no_repeat_ngram_size": 2, "min_new_tokens": 3},
    "more processors": {"suppress_tokens": [4, 8], "forced_eos_token_id": 1, "renormalize_logits": True},
    "drawn": {"do_sample": True, "top_k": 0, "temperature": 1.3},
    "drawn from few": {"do_sample": True, "top_k": 5, "top_p": 0.9},
}


def both(models, **options):
    """What ours and theirs return, each after the same random seed."""
    shared = {"pad_token_id": 3, "max_new_tokens": 7, "return_dict_in_generate": True, **options}
    answers = []
    for model in models:
        torch.manual_seed(11)
        answers.append(model.generate(IDS, attention_mask=MASK, **shared))
    return answers


def assert_same(ours, theirs):
    assert ours.sequences.tolist() == theirs.sequences.tolist()
    assert ours.beam_indices.tolist() == theirs.beam_indices.tolist()
    if theirs.sequences_scores is not None:
        torch.testing.assert_close(ours.sequences_scores, theirs.sequences_scores, rtol=1e-4, atol=1e-5)
    for name in ("scores", "logits"):
        found, expected = getattr(ours, name), getattr(theirs, name)
        assert (found is None) == (expected is None)
        for one, other in zip(found or (), expected or (), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("beams", "returned"), BEAMS)
@pytest.mark.parametrize("end", ENDS, ids=str)
def test_grid(pair, kind, beams, returned, end):
    if kind == "more processors" and end is None:
        pytest.skip("a forced end needs an end")
    first = [*KINDS].index(kind) + beams + ENDS.index(end)  # a quarter of all ways to end, others in each case
    for seed, (length_penalty, early_stopping) in enumerate(ENDINGS[first % 4 :: 4]):
        ours, theirs = both(
            pair(seed % 3),
            num_beams=beams,
            num_return_sequences=returned,
            eos_token_id=end,
            length_penalty=length_penalty,
            early_stopping=early_stopping,
            output_scores=True,
            output_logits=True,
            **KINDS[kind],
        )
        assert_same(ours, theirs)


@pytest.mark.parametrize("seed", range(6))
def test_rows_that_leave_change_nothing(pair, seed):
    """Without records of scores, settled prompts leave the batch."""
    for early_stopping in (True, False):
        ours, theirs = both(
            pair(seed), num_beams=3, eos_token_id=[1, 2], early_stopping=early_stopping, max_new_tokens=16
        )
        assert_same(ours, theirs)


def test_a_pad_token_of_zero_counts_as_none(pair):
    ours, theirs = both(pair(1), num_beams=3, num_return_sequences=3, eos_token_id=[1, 2], pad_token_id=0)
    assert_same(ours, theirs)


def test_without_a_cache(pair):
    ours, theirs = both(pair(1), num_beams=3, eos_token_id=[1], use_cache=False, output_scores=True)
    assert_same(ours, theirs)


def test_stopping_criterion(pair):
    def after_a_pair(ids, scores, **_):
        return ids[:, -1] == ids[:, -2]

    ours, theirs = both(
        pair(2), num_beams=4, num_return_sequences=2, eos_token_id=[1], output_scores=True, max_new_tokens=9,
        stopping_criteria=StoppingCriteriaList([after_a_pair]),
    )  # fmt: skip
    assert_same(ours, theirs)


def test_allowed_prefixes(pair):
    """The function is told which prompt a beam belongs to."""

    def allowed(prompt, ids):
        return [1, 2, 5, 6, 7] if prompt == 0 else [1, 8, 9, 10]

    ours, theirs = both(
        pair(0), num_beams=3, num_return_sequences=3, eos_token_id=[1], prefix_allowed_tokens_fn=allowed
    )
    assert_same(ours, theirs)


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 1},
        {"num_beams": 1, "do_sample": True, "top_k": 0},
        {"num_beams": 4},
        {"num_beams": 4, "num_return_sequences": 3, "eos_token_id": [1, 2, 5]},
    ],
)
@pytest.mark.parametrize("normalize", [False, True])
def test_transition_scores(pair, options, normalize):
    models = pair(1)
    given = both(models[:1], output_scores=True, **options)[0]
    found, expected = (
        model.compute_transition_scores(
            given.sequences, given.scores, given.beam_indices, normalize_logits=normalize
        )
        for model in models
    )  # fmt: skip
    torch.testing.assert_close(found, expected)
