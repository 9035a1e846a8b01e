"""When a text may end: minimum lengths, and a growing pull towards the end.

R rows   P positions so far   V vocabulary
"""

from torch import Tensor

from modelry.generation.processors.processor import NOTHING, LogitsProcessor, as_tokens, token_mask

Tokens = int | list[int] | tuple[int, ...] | Tensor


class MinLengthLogitsProcessor(LogitsProcessor):
    """No end token before `min_length` positions, prompt included.

    Raises:
        ValueError: min_length is negative.
    """

    def __init__(self, min_length: int, eos_token_id: Tokens, device: object = None) -> None:
        self.min_length = _not_negative("min_length", min_length)
        self.ends = as_tokens(eos_token_id)
        self._mask: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if input_ids.shape[1] >= self.min_length:
            return scores
        if self._mask is None:
            self._mask = token_mask(self.ends.to(scores.device), scores.shape[-1])
        return scores.masked_fill(self._mask, NOTHING)


class MinNewTokensLengthLogitsProcessor(LogitsProcessor):
    """No end token before `min_new_tokens` tokens after the prompt.

    Raises:
        ValueError: a length is negative.
    """

    def __init__(
        self, prompt_length_to_skip: int, min_new_tokens: int, eos_token_id: Tokens, device: object = None
    ) -> None:
        skip = _not_negative("prompt_length_to_skip", prompt_length_to_skip)
        self._until = MinLengthLogitsProcessor(skip + _not_negative("min_new_tokens", min_new_tokens), eos_token_id)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return self._until(input_ids, scores)


class ExponentialDecayLengthPenalty(LogitsProcessor):
    """From a length on, raise the end tokens' scores by |score| · (factor^steps - 1).

    Args:
        exponential_decay_length_penalty: (tokens after the prompt from which it acts, factor per token).
        input_ids_seq_length: positions of the prompt.
    """

    def __init__(
        self, exponential_decay_length_penalty: tuple[int, float], eos_token_id: Tokens, input_ids_seq_length: int
    ) -> None:
        start, self.factor = exponential_decay_length_penalty
        self.start = start + input_ids_seq_length
        self.ends = as_tokens(eos_token_id)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        steps = input_ids.shape[1] - self.start
        if steps <= 0:
            return scores
        ends = self.ends.to(scores.device)
        found = scores[:, ends]
        raised = found + found.abs() * (self.factor**steps - 1)
        return scores.index_copy(1, ends, raised.where(found.isfinite(), found))


def _not_negative(name: str, value: int) -> int:
    if value < 0:
        raise ValueError(f"{name}={value} must not be negative")
    return value
