"""Scores of the tokens said, from the record; parity with an independent implementation is in the plugins' tests."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation.transition_scores import transition_scores

RANDOM = torch.Generator().manual_seed(0)
SCORES = tuple(torch.randn(2, 5, generator=RANDOM) for _ in range(3))
TEXTS = torch.tensor([[9, 1, 4, 0], [9, 2, 2, 3]])


def test_each_token_has_the_score_it_was_chosen_with():
    found = transition_scores(TEXTS, SCORES)
    assert found.tolist() == [[float(SCORES[n][row, TEXTS[row, n + 1]]) for n in range(3)] for row in range(2)]


def test_normalized_they_are_log_probabilities():
    found = transition_scores(TEXTS, SCORES, normalize_logits=True)
    assert float(found[1, 2]) == pytest.approx(float(SCORES[2][1].log_softmax(0)[3]))


def test_beams_say_which_row_each_token_came_from():
    found = transition_scores(TEXTS[:, :3], SCORES, torch.tensor([[1, 0], [0, -1]]))
    assert found.tolist() == [[float(SCORES[0][1, 1]), float(SCORES[1][0, 4])], [float(SCORES[0][0, 2]), 0.0]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((TEXTS, ()), "output_scores=True"),
        ((TEXTS[:1], SCORES), "beams need beam_indices"),
        ((TEXTS[:, :2], SCORES), "one call of generate"),
    ],
)
def test_what_does_not_belong_together_is_refused(arguments, words):
    with pytest.raises(GenerationError, match=words):
        transition_scores(*arguments)
