"""Chosen words, made more or less likely or impossible.

R rows   P positions so far   N sequences of one length   V vocabulary
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from modelry.generation.processors.processor import NOTHING, LogitsProcessor, as_tokens

Biases = Mapping[tuple[int, ...], float] | Sequence[tuple[Sequence[int], float] | list[list[int] | float]]


class _Longer(NamedTuple):
    """All sequences of one length above 1."""

    begins: Tensor  # (N, length - 1)
    last: Tensor  # (N,)
    bias: Tensor  # (N,)


class SequenceBiasLogitsProcessor(LogitsProcessor):
    """Add a bias to the token that would complete a sequence; a sequence of one token always gets its bias.

    Args:
        sequence_bias: {(12, 7): -2.0, (5,): 1.5}, or the same as pairs [[[12, 7], -2.0], [[5], 1.5]].

    Raises:
        ValueError: empty, an empty sequence, a negative id, or (at the first call) an id outside the vocabulary.
    """

    def __init__(self, sequence_bias: Biases) -> None:
        pairs = list(sequence_bias.items()) if isinstance(sequence_bias, Mapping) else list(sequence_bias)
        self._table = _checked(pairs)
        self._single: Tensor | None = None
        self._longer: list[_Longer] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self._single is None:
            self._single = self._lay_out(scores)
        if not self._longer:
            return scores + self._single
        bias = self._single.expand_as(scores).clone()
        for group in self._longer:
            width = group.begins.shape[1]
            if width <= input_ids.shape[1]:
                begun = (input_ids[:, None, -width:] == group.begins).all(dim=-1)  # (R, N)
                bias.index_add_(1, group.last, torch.where(begun, group.bias, 0.0))
        return scores + bias

    def _lay_out(self, scores: Tensor) -> Tensor:
        """Tensors for a vocabulary, made once; returns the (V,) bias of single tokens."""
        vocabulary, device = scores.shape[-1], scores.device
        outside = sorted({token for sequence in self._table for token in sequence if token >= vocabulary})
        if outside:
            raise ValueError(f"tokens {outside} are given a bias, and the vocabulary has {vocabulary} tokens")
        single = torch.zeros(vocabulary, device=device, dtype=scores.dtype)
        groups: dict[int, list[tuple[int, ...]]] = {}
        for sequence, bias in self._table.items():
            if len(sequence) == 1:
                single[sequence[0]] = bias
            else:
                groups.setdefault(len(sequence), []).append(sequence)
        for sequences in groups.values():
            ids = torch.tensor(sequences, device=device)
            biases = torch.tensor([self._table[one] for one in sequences], device=device, dtype=scores.dtype)
            self._longer.append(_Longer(ids[:, :-1], ids[:, -1], biases))
        return single


class NoBadWordsLogitsProcessor(LogitsProcessor):
    """Never complete one of the sequences. A sequence that is an end token alone is ignored.

    Args:
        bad_words_ids: the sequences of ids.
        eos_token_id: end tokens.

    Raises:
        ValueError: empty, an empty sequence or a negative id.
    """

    def __init__(
        self,
        bad_words_ids: Sequence[Sequence[int]],
        eos_token_id: int | list[int] | tuple[int, ...] | Tensor | None = None,
    ) -> None:
        ends = [] if eos_token_id is None else as_tokens(eos_token_id).tolist()
        table = _checked([(words, NOTHING) for words in bad_words_ids])
        kept = [(words, NOTHING) for words in table if not (len(words) == 1 and words[0] in ends)]
        self._bias = SequenceBiasLogitsProcessor(kept) if kept else None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        return scores if self._bias is None else self._bias(input_ids, scores)


def _checked(pairs: Sequence[Sequence[object]]) -> dict[tuple[int, ...], float]:
    if not pairs:
        raise ValueError("no sequences are given: leave the argument out instead")
    table: dict[tuple[int, ...], float] = {}
    for pair in pairs:
        sequence, bias = pair
        if not isinstance(sequence, Sequence) or not sequence:
            raise ValueError(f"{sequence!r} is no sequence of token ids")
        if not all(isinstance(token, int) and token >= 0 for token in sequence):
            raise ValueError(f"{list(sequence)} holds something that is no token id")
        table[tuple(sequence)] = float(bias)  # type: ignore[arg-type]  # what is no number raises, and is refused
        if not table[tuple(sequence)] < math.inf:
            raise ValueError(f"{list(sequence)} is given the bias {bias}: give a number, or -inf to rule it out")
    return table
