"""A packed model generates: rows of a batch say what they say alone."""

from typing import Any

import torch

from modelry import PreTrainedModel
from modelry_testing.errors import ContractBroken

IDS = ((1, 5, 9, 20), (7, 3, 2, 8))
NEW = 6


def rows_say_the_same_alone(model: PreTrainedModel) -> None:
    """Greedy tokens of two rows, together and one by one. The model has more than 20 tokens.

    Raises:
        ContractBroken: a row says something else alone.
    """
    ids = torch.tensor(IDS)
    options: dict[str, Any] = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": None}
    both = model.generate(ids, **options)
    for row in range(len(IDS)):
        alone = model.generate(ids[row : row + 1], **options)
        assert isinstance(both, torch.Tensor)
        assert isinstance(alone, torch.Tensor)
        if both[row].tolist() != alone[0].tolist():
            raise ContractBroken(f"row {row} says {both[row].tolist()} in a batch, and {alone[0].tolist()} alone")
