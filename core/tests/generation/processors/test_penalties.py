"""Frequency and presence penalties: counted by hand. Rows follow the batch."""

import torch

from modelry.generation.processors import (
    FrequencyPenaltyLogitsProcessor,
    PresencePenaltyLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
)

IDS = torch.tensor([[1, 1, 2, 2, 2, 3], [0, 0, 5, 5, 4, 9]])  # 9 is beyond the vocabulary


def test_frequency_counts_generated_tokens():
    found = FrequencyPenaltyLogitsProcessor(0.5, prompt_length=2)(IDS, torch.zeros(2, 6))
    assert found.tolist() == [[0, 0, -1.5, -0.5, 0, 0], [0, 0, 0, 0, -0.5, -1.0]]


def test_presence_counts_a_token_once():
    found = PresencePenaltyLogitsProcessor(0.5, prompt_length=2)(IDS, torch.zeros(2, 6))
    assert found.tolist() == [[0, 0, -0.5, -0.5, 0, 0], [0, 0, 0, 0, -0.5, -0.5]]


def test_nothing_generated_changes_nothing():
    scores = torch.randn(2, 6)
    assert torch.equal(FrequencyPenaltyLogitsProcessor(1.0, prompt_length=6)(IDS, scores), scores)
    assert torch.equal(PresencePenaltyLogitsProcessor(1.0, prompt_length=6)(IDS, scores), scores)


def test_padding_follows_its_row():
    ids, scores = torch.tensor([[0, 1], [2, 3]]), torch.ones(2, 4)
    processor = RepetitionPenaltyLogitsProcessor(2.0, torch.tensor([1, 0]))
    processor.keep(torch.tensor([1, 0, 0]))
    found = processor(ids[[1, 0, 0]], scores[[1, 0, 0]])
    assert found.tolist() == [[1, 1, 0.5, 0.5], [1, 0.5, 1, 1], [1, 0.5, 1, 1]]
