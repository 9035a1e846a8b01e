"""Tokens that must come, or must not.

R rows   P positions so far   V vocabulary
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from modelry.errors import GenerationError
from modelry.generation.processors.processor import NOTHING, LogitsProcessor, as_tokens, token_mask


class ForcedBOSTokenLogitsProcessor(LogitsProcessor):
    """The first token after a start token alone (P is 1) is `bos_token_id`."""

    def __init__(self, bos_token_id: int) -> None:
        self.token = as_tokens(bos_token_id)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return _only(self.token, scores) if input_ids.shape[1] == 1 else scores


class ForcedEOSTokenLogitsProcessor(LogitsProcessor):
    """The last token that `max_length` leaves room for is one of `eos_token_id`."""

    def __init__(self, max_length: int, eos_token_id: int | list[int] | Tensor, device: object = None) -> None:
        self.max_length = max_length
        self.tokens = as_tokens(eos_token_id)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return _only(self.tokens, scores) if input_ids.shape[1] == self.max_length - 1 else scores


class SuppressTokensLogitsProcessor(LogitsProcessor):
    """The tokens never come."""

    def __init__(self, suppress_tokens: Sequence[int], device: object = None) -> None:
        self.tokens = as_tokens(list(suppress_tokens))
        self._mask: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._mask is None:
            self._mask = token_mask(self.tokens.to(scores.device), scores.shape[-1])
        return scores.masked_fill(self._mask, NOTHING)


class SuppressTokensAtBeginLogitsProcessor(LogitsProcessor):
    """The tokens do not come first: at `begin_index` positions they are ruled out."""

    def __init__(self, begin_suppress_tokens: Sequence[int], begin_index: int, device: object = None) -> None:
        self.begin_index = begin_index
        self._never = SuppressTokensLogitsProcessor(begin_suppress_tokens)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return self._never(input_ids, scores) if input_ids.shape[1] == self.begin_index else scores


class PrefixConstrainedLogitsProcessor(LogitsProcessor):
    """Only tokens that a function allows after what is there (https://arxiv.org/abs/2010.00904).

    Args:
        prefix_allowed_tokens_fn: (index of the prompt, (P,) ids so far) to the allowed ids.
        num_beams: rows of one prompt.

    Raises:
        GenerationError: when called, the function allows nothing, or ids outside the vocabulary.
    """

    def __init__(self, prefix_allowed_tokens_fn: Callable[[int, Tensor], Sequence[int]], num_beams: int = 1) -> None:
        self.allowed = prefix_allowed_tokens_fn
        self.num_beams = num_beams
        self._prompts: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        rows = input_ids.shape[0]
        prompts = [row // self.num_beams for row in range(rows)] if self._prompts is None else self._prompts.tolist()
        mask = torch.full_like(scores, NOTHING)
        for row, prompt in enumerate(prompts):
            allowed = list(self.allowed(prompt, input_ids[row]))
            if not allowed:
                raise GenerationError(
                    f"prefix_allowed_tokens_fn allows no token for prompt {prompt} after {input_ids.shape[1]} tokens"
                )
            if not all(0 <= int(token) < scores.shape[-1] for token in allowed):
                raise GenerationError(
                    f"prefix_allowed_tokens_fn allows ids for prompt {prompt} that are not among the "
                    f"{scores.shape[-1]} of the vocabulary: {allowed!s:.80}"
                )
            mask[row, allowed] = 0
        kept = scores + mask
        # Where everything allowed was already impossible for all rows of a prompt, what is allowed counts.
        stuck = kept.amax(dim=-1).isneginf().tolist()
        free = {prompt for prompt, is_stuck in zip(prompts, stuck, strict=True) if not is_stuck}
        alone = torch.tensor([prompt not in free for prompt in prompts], device=scores.device)
        return torch.where(alone[:, None], mask, kept)

    def keep(self, rows: Tensor) -> None:
        if self._prompts is None:
            self._prompts = torch.arange(int(rows.max()) + 1) // self.num_beams
        self._prompts = self._prompts[rows.cpu()]


def _only(tokens: Tensor, scores: Tensor) -> Tensor:
    mask = token_mask(tokens.to(scores.device), scores.shape[-1])
    return torch.full_like(scores, NOTHING).masked_fill_(mask, 0)
