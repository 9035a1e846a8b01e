"""Fewer or sharper candidates: temperature, and every rule that cuts the tail of the distribution.

R rows   V vocabulary. Each rule leaves at least `min_tokens_to_keep` tokens and sets the others to `filter_value`.
"""

import math

import torch
from torch import Tensor

from modelry.generation.processors.processor import NOTHING, LogitsProcessor


class TemperatureLogitsWarper(LogitsProcessor):
    """Divide the scores: below 1 sharpens, above 1 flattens.

    Raises:
        ValueError: temperature is not above 0.
    """

    def __init__(self, temperature: float) -> None:
        if not 0 < temperature < math.inf:
            raise ValueError(
                f"temperature={temperature} must be above 0; for the most likely token use do_sample=False"
            )
        self.temperature = float(temperature)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores / self.temperature


class TopKLogitsWarper(LogitsProcessor):
    """Keep the k highest scores, and what equals the last of them (https://arxiv.org/abs/1805.04833).

    Raises:
        ValueError: top_k is below 1.
    """

    def __init__(self, top_k: int, filter_value: float = NOTHING, min_tokens_to_keep: int = 1) -> None:
        if top_k < 1:
            raise ValueError(f"top_k={top_k} must be at least 1")
        self.top_k = max(top_k, _at_least_one(min_tokens_to_keep))
        self.filter_value = filter_value

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores.masked_fill(scores < _nth_highest(scores, self.top_k), self.filter_value)


class TopPLogitsWarper(LogitsProcessor):
    """Keep the fewest most likely tokens that hold `top_p` of the probability (https://arxiv.org/abs/1904.09751).

    The mass is summed from the least likely token up, as published code does: sums in the other direction differ in the
    last bit, and so in which token is the last.

    Raises:
        ValueError: top_p is outside [0, 1].
    """

    def __init__(self, top_p: float, filter_value: float = NOTHING, min_tokens_to_keep: int = 1) -> None:
        self.top_p = _fraction("top_p", top_p)
        self.filter_value = filter_value
        self.least = _at_least_one(min_tokens_to_keep)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        ascending, order = _ascending_candidates(scores)
        drop = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - self.top_p
        drop[:, -self.least :] = False
        dropped = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, order, drop)
        return scores.masked_fill(dropped, self.filter_value)


class MinPLogitsWarper(LogitsProcessor):
    """Keep tokens at least `min_p` times as likely as the likeliest (https://arxiv.org/abs/2407.01082).

    Raises:
        ValueError: min_p is outside [0, 1].
    """

    def __init__(self, min_p: float, filter_value: float = NOTHING, min_tokens_to_keep: int = 1) -> None:
        self.min_p = _fraction("min_p", min_p)
        self.filter_value = filter_value
        self.least = _at_least_one(min_tokens_to_keep)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        probabilities = scores.softmax(dim=-1)
        drop = probabilities < self.min_p * probabilities.amax(dim=-1, keepdim=True)
        drop.scatter_(-1, probabilities.topk(min(self.least, scores.shape[-1])).indices, False)
        return scores.masked_fill(drop, self.filter_value)


class TopHLogitsWarper(LogitsProcessor):
    """Keep the likeliest tokens until they hold `top_h` of the entropy (https://arxiv.org/abs/2509.02510).

    Entropy is that of the 100 likeliest tokens, as in the ecosystem.

    Raises:
        ValueError: top_h is outside (0, 1].
    """

    candidates = 100

    def __init__(self, top_h: float, filter_value: float = NOTHING) -> None:
        if not 0 < top_h <= 1:
            raise ValueError(f"top_h={top_h} must be above 0 and at most 1")
        self.top_h = float(top_h)
        self.filter_value = filter_value

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        best, where = scores.topk(min(self.candidates, scores.shape[-1]))
        logs = best - best.logsumexp(dim=-1, keepdim=True)
        shares = logs.softmax(dim=-1)  # the last bit decides about the last token when top_h is 1
        entropy = -(shares * logs.clamp(min=torch.finfo(logs.dtype).min)).sum(dim=-1, keepdim=True)
        keep = -torch.xlogy(shares, shares).cumsum(dim=-1) <= self.top_h * entropy
        keep[:, 0] = True
        kept = torch.zeros_like(scores, dtype=torch.bool).scatter_(1, where, keep)
        return scores.masked_fill(~kept, self.filter_value)


class TypicalLogitsWarper(LogitsProcessor):
    """Keep the tokens whose surprise is nearest to the expected one, until they hold `mass`.

    Meister et al. 2022, https://arxiv.org/abs/2202.00666.

    Raises:
        ValueError: mass is outside (0, 1).
    """

    def __init__(self, mass: float = 0.9, filter_value: float = NOTHING, min_tokens_to_keep: int = 1) -> None:
        if not 0 < mass < 1:
            raise ValueError(f"typical_p={mass} must be above 0 and below 1")
        self.mass = float(mass)
        self.filter_value = filter_value
        self.least = _at_least_one(min_tokens_to_keep)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        logs = scores.log_softmax(dim=-1)
        entropy = -(logs * logs.exp()).nansum(dim=-1, keepdim=True)
        distance, order = (-logs - entropy).abs().sort(dim=-1)
        mass = scores.gather(-1, order).softmax(dim=-1).cumsum(dim=-1)
        last = (mass < self.mass).sum(dim=-1, keepdim=True).clamp_(max=scores.shape[-1] - 1)
        drop = distance > distance.gather(-1, last)
        drop[:, : self.least] = False
        return scores.masked_fill(drop.scatter(1, order, drop), self.filter_value)


class EpsilonLogitsWarper(LogitsProcessor):
    """Keep tokens at least `epsilon` likely (Hewitt et al. 2022, https://arxiv.org/abs/2210.15191).

    Raises:
        ValueError: epsilon is outside (0, 1).
    """

    def __init__(self, epsilon: float, filter_value: float = NOTHING, min_tokens_to_keep: int = 1) -> None:
        self.epsilon = _cutoff("epsilon_cutoff", epsilon)
        self.filter_value = filter_value
        self.least = _at_least_one(min_tokens_to_keep)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        drop = (scores.softmax(dim=-1) < self.epsilon) & (scores < _nth_highest(scores, self.least))
        return scores.masked_fill(drop, self.filter_value)


class EtaLogitsWarper(LogitsProcessor):
    """Keep tokens above a floor that falls where the distribution is wide (https://arxiv.org/abs/2210.15191).

    Raises:
        ValueError: epsilon is outside (0, 1).
    """

    def __init__(
        self, epsilon: float, filter_value: float = NOTHING, min_tokens_to_keep: int = 1, device: object = None
    ) -> None:
        self.epsilon = _cutoff("eta_cutoff", epsilon)
        self.filter_value = filter_value
        self.least = _at_least_one(min_tokens_to_keep)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        logs = scores.log_softmax(dim=-1)
        entropy = -(logs.exp() * logs.clamp(min=torch.finfo(logs.dtype).min)).sum(dim=-1, keepdim=True)
        floor = (math.sqrt(self.epsilon) * (-entropy).exp()).clamp(max=self.epsilon)
        drop = (scores.softmax(dim=-1) < floor) & (scores < _nth_highest(scores, self.least))
        return scores.masked_fill(drop, self.filter_value)


def _ascending_candidates(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Scores in ascending order and where they were; on a CPU without the ruled-out ones, if those are most.

    Sorting 49,152 scores takes 4 ms of one core, and after top-k only k of them count.
    """
    if scores.device.type == "cpu":
        left = int((scores > NOTHING).sum(dim=-1).max())
        if 0 < left < scores.shape[-1] // 16:
            best, where = scores.topk(left)
            return best.flip(1), where.flip(1)
    return scores.sort(dim=-1)


def _nth_highest(scores: Tensor, n: int) -> Tensor:
    """(R, V) to (R, 1): the n-th highest score of each row, or the lowest where there are fewer."""
    return scores.topk(min(n, scores.shape[-1])).values[:, -1:]


def _fraction(name: str, value: float) -> float:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value} must be between 0 and 1")
    return float(value)


def _cutoff(name: str, value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(f"{name}={value} must be above 0 and below 1")
    return float(value)


def _at_least_one(min_tokens_to_keep: int) -> int:
    if min_tokens_to_keep < 1:
        raise ValueError(f"min_tokens_to_keep={min_tokens_to_keep} must be at least 1")
    return min_tokens_to_keep
