"""Scores of tokens that were there before: repetition, frequency and presence penalties.

R rows   P positions so far   V vocabulary
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from modelry.generation.processors.processor import LogitsProcessor


class RepetitionPenaltyLogitsProcessor(LogitsProcessor):
    """Make every token that occurred less likely: positive scores are divided, negative ones multiplied.

    Keskar et al. 2019, https://arxiv.org/abs/1909.05858.

    Args:
        penalty: above 1 discourages repetition, below 1 encourages it.
        prompt_ignore_length: leading positions that do not count: one number, or (R,) numbers (padding on the left).

    Raises:
        ValueError: penalty is not above 0, or prompt_ignore_length is negative.
    """

    def __init__(self, penalty: float, prompt_ignore_length: int | Tensor | None = None) -> None:
        self.penalty = _factor("repetition_penalty", penalty)
        if isinstance(prompt_ignore_length, int) and prompt_ignore_length < 0:
            raise ValueError(f"prompt_ignore_length={prompt_ignore_length} must not be negative")
        self.ignored = prompt_ignore_length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        vocabulary = scores.shape[-1]
        if isinstance(self.ignored, Tensor):
            positions = torch.arange(input_ids.shape[1], device=input_ids.device)
            ignored = self.ignored.to(input_ids.device)
            input_ids = input_ids.masked_fill(positions < ignored[:, None], vocabulary)
        elif self.ignored is not None:
            input_ids = input_ids[:, self.ignored :]
        return _scaled(scores, input_ids, self.penalty)

    def keep(self, rows: Tensor) -> None:
        if isinstance(self.ignored, Tensor):
            self.ignored = self.ignored[rows.to(self.ignored.device)]


class EncoderRepetitionPenaltyLogitsProcessor(LogitsProcessor):
    """Make the input's own tokens more likely, against inventions; `penalty` above 1 helps them.

    Args:
        encoder_input_ids: (B, S) the input; R is B or a multiple of it.

    Raises:
        ValueError: penalty is not above 0.
    """

    def __init__(self, penalty: float, encoder_input_ids: Tensor) -> None:
        self.penalty = 1 / _factor("encoder_repetition_penalty", penalty)
        self.encoder_input_ids = encoder_input_ids

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        copies = max(1, scores.shape[0] // self.encoder_input_ids.shape[0])
        return _scaled(scores, self.encoder_input_ids.repeat_interleave(copies, dim=0), self.penalty)

    def keep(self, rows: Tensor) -> None:
        self.encoder_input_ids = self.encoder_input_ids[rows]


class FrequencyPenaltyLogitsProcessor(LogitsProcessor):
    """Subtract `penalty` once for each time a token was generated; the prompt does not count.

    Raises:
        ValueError: penalty is not finite.
    """

    def __init__(self, penalty: float, prompt_length: int = 0) -> None:
        self.penalty = _finite("frequency_penalty", penalty)
        self.prompt_length = prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        generated = input_ids[:, self.prompt_length :].clamp(max=scores.shape[-1])
        amount = scores.new_full(generated.shape, -self.penalty)
        return pad(scores, (0, 1)).scatter_add_(1, generated, amount)[:, :-1]


class PresencePenaltyLogitsProcessor(LogitsProcessor):
    """Subtract `penalty` from every token that was generated, however often; the prompt does not count.

    Raises:
        ValueError: penalty is not finite.
    """

    def __init__(self, penalty: float, prompt_length: int = 0) -> None:
        self.penalty = _finite("presence_penalty", penalty)
        self.prompt_length = prompt_length

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        wide = pad(scores, (0, 1))
        generated = input_ids[:, self.prompt_length :].clamp(max=scores.shape[-1])
        return wide.scatter(1, generated, wide.gather(1, generated) - self.penalty)[:, :-1]


def _scaled(scores: Tensor, ids: Tensor, penalty: float) -> Tensor:
    """(R, V) with the scores at `ids` (R, P) divided by `penalty` if positive, multiplied if negative.

    One column more takes the ids beyond the vocabulary: padding, and embeddings wider than the output.
    """
    wide = pad(scores, (0, 1))
    ids = ids.clamp(max=scores.shape[-1])
    found = wide.gather(1, ids)
    return wide.scatter(1, ids, torch.where(found < 0, found * penalty, found / penalty))[:, :-1]


def _factor(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise ValueError(f"{name}={value} must be above 0")
    return float(value)


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{name}={value} must be a finite number")
    return float(value)
