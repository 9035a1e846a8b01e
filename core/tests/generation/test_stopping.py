"""The ecosystem's criteria, alone and in a list."""

import time

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import EosTokenCriteria, MaxLengthCriteria, MaxTimeCriteria, StoppingCriteriaList

IDS = torch.tensor([[1, 2, 3], [1, 2, 4]])


def test_length():
    assert MaxLengthCriteria(3)(IDS)
    assert not MaxLengthCriteria(4)(IDS)


def test_time():
    assert not MaxTimeCriteria(60)(IDS)
    assert MaxTimeCriteria(1, initial_timestamp=time.time() - 2)(IDS)


def test_end_tokens():
    assert EosTokenCriteria(4)(IDS).tolist() == [False, True]
    assert EosTokenCriteria([4, 3])(IDS).tolist() == [True, True]


def test_any_of_a_list_ends_a_row():
    some = StoppingCriteriaList(
        [
            EosTokenCriteria(4),
            lambda ids, scores: ids[:, 0] == 9,
            lambda ids, scores: False,
            lambda ids, scores: [False, False],
        ]
    )
    assert some(IDS).tolist() == [False, True]
    some.append(MaxLengthCriteria(3))
    assert some(IDS).tolist() == [True, True]
    assert some.max_length == 3
    assert StoppingCriteriaList()(IDS).tolist() == [False, False]


@pytest.mark.parametrize(
    ("said", "words"), [("yes", "returned 'yes'"), (None, "None"), (torch.ones(5), r"\(5,\): .*, or \(2,\) bools")]
)
def test_a_criterion_that_says_no_verdict(said, words):
    with pytest.raises(GenerationError, match=words):
        StoppingCriteriaList([lambda ids, scores: said])(IDS)
