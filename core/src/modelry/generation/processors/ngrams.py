"""No n-gram twice: within the text, or copied from the input.

R rows   P positions so far   N n-gram size   V vocabulary
"""

import torch
from torch import Tensor

from modelry.generation.processors.processor import NOTHING, LogitsProcessor


class NoRepeatNGramLogitsProcessor(LogitsProcessor):
    """Rule out every token that would complete an n-gram of the text so far, prompt included.

    Raises:
        ValueError: ngram_size is below 1.
    """

    def __init__(self, ngram_size: int) -> None:
        self.size = _size("no_repeat_ngram_size", ngram_size)

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return _without_completions(input_ids, input_ids, scores, self.size)


class EncoderNoRepeatNGramLogitsProcessor(LogitsProcessor):
    """Rule out every token that would complete an n-gram of the input.

    Args:
        encoder_input_ids: (B, S) or (S,) the input; R is B or a multiple of it.

    Raises:
        ValueError: encoder_ngram_size is below 1.
    """

    def __init__(self, encoder_ngram_size: int, encoder_input_ids: Tensor) -> None:
        self.size = _size("encoder_no_repeat_ngram_size", encoder_ngram_size)
        self.encoder_input_ids = encoder_input_ids if encoder_input_ids.dim() == 2 else encoder_input_ids[None]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        copies = max(1, scores.shape[0] // self.encoder_input_ids.shape[0])
        source = self.encoder_input_ids.repeat_interleave(copies, dim=0)
        return _without_completions(source, input_ids, scores, self.size)

    def keep(self, rows: Tensor) -> None:
        self.encoder_input_ids = self.encoder_input_ids[rows]


def _without_completions(source: Tensor, ids: Tensor, scores: Tensor, size: int) -> Tensor:
    """-inf where the last N-1 of `ids` (R, P) and a token make an n-gram that `source` (R, S) holds."""
    if source.shape[1] < size or ids.shape[1] < size - 1:
        return scores
    vocabulary = scores.shape[-1]
    grams = source.unfold(1, size, 1)  # (R, S-N+1, N)
    begun = ids[:, ids.shape[1] - size + 1 :]  # (R, N-1)
    completes = (grams[..., :-1] == begun[:, None]).all(dim=-1)
    # The column past the vocabulary takes the n-grams that do not match.
    barred = torch.where(completes, grams[..., -1].clamp(max=vocabulary), vocabulary)
    mask = torch.zeros(scores.shape[0], vocabulary + 1, dtype=torch.bool, device=scores.device)
    return scores.masked_fill(mask.scatter_(1, barred, True)[:, :-1], NOTHING)


def _size(name: str, value: int) -> int:
    if value < 1:
        raise ValueError(f"{name}={value} must be at least 1")
    return value
