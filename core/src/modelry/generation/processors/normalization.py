"""Scores put back in order: log-probabilities, and values that are not numbers.

R rows   V vocabulary
"""

import torch
from torch import Tensor

from modelry.generation.processors.processor import LogitsProcessor


class LogitNormalization(LogitsProcessor):
    """Scores become log-probabilities again, for strategies that add them up."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores.log_softmax(dim=-1)


class InfNanRemoveLogitsProcessor(LogitsProcessor):
    """NaN becomes 0, and infinities the largest finite numbers."""

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return torch.nan_to_num(scores, nan=0.0)
