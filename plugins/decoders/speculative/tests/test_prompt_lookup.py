"""Lookup copies what followed the last tokens the last time, the longest run first."""

from types import SimpleNamespace

import pytest
import torch

from modelry.errors import GenerationError
from modelry_speculative.prompt_lookup import PromptLookup


def session_of(texts, sources=None):
    return SimpleNamespace(ids=torch.tensor(texts), sources=lambda: sources or [[] for _ in texts])


def proposed(text, most=4, ngram=2, more=(), source=()):
    lookup = PromptLookup(session_of([text], [list(source)]), ngram=ngram)
    lookup.start(1)
    for tokens in more:
        lookup.settle([tokens])
    return lookup.propose([True], most).tokens[0]


def test_it_copies():
    assert proposed([1, 2, 3, 4, 5, 6, 7, 1, 2]) == [3, 4, 5, 6]


def test_the_longest_run_counts_then_the_latest_place():
    text = [8, 5, 1, 2, 9, 2, 7, 1, 2, 6, 4, 5, 0, 1, 2]
    assert proposed(text, 2, ngram=2) == [6, 4]
    assert proposed([3, 1, 2, 9, 9, 4, 1, 2, 8, 8, 3, 1, 2], 2, ngram=3) == [9, 9]
    assert proposed([3, 1, 2, 9, 9, 4, 1, 2, 8, 8, 3, 1, 2], 2, ngram=2) == [8, 8]


def test_a_short_period_goes_on_at_full_length():
    assert proposed([4, 1, 2, 1, 2], 5) == [1, 2, 1, 2, 1]
    assert proposed([7, 7], 3) == [7, 7, 7]


def test_nothing_is_known_of_new_tokens():
    assert proposed([1, 2, 3]) == []
    assert proposed([1]) == []


def test_what_was_said_is_found_later():
    assert proposed([1, 2, 3], more=([4, 5], [6], [], [4, 5])) == [6, 4, 5, 6]


def test_what_an_encoder_has_read_is_copied():
    assert proposed([0, 5, 6], source=[4, 5, 6, 7, 8, 9]) == [7, 8, 9, 0]
    assert proposed([0, 5, 6, 3, 5, 6], 2, source=[5, 6, 7, 8]) == [3, 5]


def test_rows_that_ended_get_no_draft():
    lookup = PromptLookup(session_of([[1, 1], [2, 2]]), ngram=2)
    lookup.start(1)
    assert lookup.propose([True, False], 2).tokens == [[1, 1], []]


@pytest.mark.parametrize("options", [{"prompt_lookup_num_tokens": 10**18}, {"num_assistant_tokens": 10**18}], ids=str)
def test_drafts_are_no_longer_than_the_answer(llama, options):
    model, ids = llama(), torch.tensor([[3, 5, 3, 5, 3, 5]])
    plain = model.generate(ids, max_new_tokens=6)
    drafting = {"assistant_model": model} if "num_assistant_tokens" in options else {}
    found = model.generate(ids, max_new_tokens=6, return_dict_in_generate=True, **options, **drafting)
    assert found.sequences.tolist() == plain.tolist()
    assert found.statistics["drafted"] <= 6


def test_runs_too_long_to_remember(llama):
    model, ids = llama(), torch.tensor([[3, 5, 3, 5]])
    with pytest.raises(GenerationError, match=r"max_matching_ngram_size=10000000000.*less than or equal to 64"):
        model.generate(ids, prompt_lookup_num_tokens=3, max_matching_ngram_size=10**10)
    assert model.generate(ids, prompt_lookup_num_tokens=3, max_new_tokens=4).shape == (1, 8)
