"""A function of allowed tokens: which prompt a row is of survives reordering; allowing nothing is an error."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation.processors import PrefixConstrainedLogitsProcessor


def test_rows_know_their_prompt():
    seen = []

    def allowed(prompt, ids):
        seen.append(prompt)
        return [prompt]

    processor = PrefixConstrainedLogitsProcessor(allowed)
    processor.keep(torch.tensor([0, 0, 1, 1]))
    processor.keep(torch.tensor([3, 0]))
    found = processor(torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 4))
    assert seen == [1, 0]
    assert found.argmax(-1).tolist() == [1, 0]


def test_what_is_allowed_counts_where_all_else_is_impossible():
    processor = PrefixConstrainedLogitsProcessor(lambda prompt, ids: [2])
    scores = torch.tensor([[1.0, 1.0, float("-inf")]])
    assert processor(torch.zeros(1, 1, dtype=torch.long), scores).argmax(-1).tolist() == [2]


def test_nothing_allowed_is_an_error():
    processor = PrefixConstrainedLogitsProcessor(lambda prompt, ids: [])
    with pytest.raises(GenerationError, match=r"allows no token for prompt 0 after 5 tokens"):
        processor(torch.zeros(1, 5, dtype=torch.long), torch.zeros(1, 4))
