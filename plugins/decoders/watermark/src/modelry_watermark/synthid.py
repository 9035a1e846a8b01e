"""SynthID text: tokens play a tournament whose referees (g-values) follow from a key and the tokens before them.
Dathathri et al. 2024, https://www.nature.com/articles/s41586-024-08025-4. Finding the mark is in detection.py.

R rows   P positions so far   V vocabulary   L layers (keys)   N ngram_len   H contexts remembered
"""

from typing import final

import torch
from torch import Tensor

from modelry.generation import LogitsProcessor
from modelry_watermark.parameters import SynthIDTextWatermarkingConfig

_MULTIPLIER, _INCREMENT = 6364136223846793005, 1
"""The linear congruential generator of newlib and musl, in 64 bits that wrap around."""


def mixed(state: Tensor, value: Tensor) -> Tensor:
    """One step of the hash: int64, broadcast."""
    return (state + value) * _MULTIPLIER + _INCREMENT


def hashed(values: Tensor) -> Tensor:
    """(..., n) ids to (...) int64 hashes."""
    state = torch.ones_like(values[..., 0])
    for column in values.unbind(dim=-1):
        state = mixed(state, column)
    return state


@final
class Referees:
    """The g-values of a config. The table is drawn on the CPU, so that it is the same on every device."""

    def __init__(self, config: SynthIDTextWatermarkingConfig, device: torch.device) -> None:
        generator = torch.Generator().manual_seed(config.sampling_table_seed)
        self._table = torch.randint(0, 2, (config.sampling_table_size,), generator=generator).to(device)
        self.keys = torch.tensor(config.keys, device=device)  # (L,)

    def values(self, hashes: Tensor, layer: int) -> Tensor:
        """0 or 1 for each n-gram hash, in one layer."""
        return self._table[mixed(hashes, self.keys[layer]) % self._table.shape[0]]


@final
class SynthIDTextWatermarkLogitsProcessor(LogitsProcessor):
    """Replaces the scores by the logarithms of the probabilities after the tournament.

    A context that was marked already is left alone, so that repeated text does not repeat its chances.
    """

    remembers = True

    def __init__(self, config: SynthIDTextWatermarkingConfig) -> None:
        self.config = config
        self.referees: Referees | None = None
        self._context: Tensor | None = None  # (R, N - 1)
        self._history: Tensor | None = None  # (R, H) hashes of contexts
        self._calls = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        config, rows = self.config, scores.shape[0]
        if self.referees is None or self._context is None or self._history is None:
            # The first context is zeros, and not the prompt, as published.
            self.referees = Referees(config, scores.device)
            self._context = input_ids.new_zeros(rows, config.ngram_len - 1)
            self._history = input_ids.new_zeros(rows, config.context_history_size)
        else:
            self._context = torch.cat((self._context[:, 1:], input_ids[:, -1:]), dim=1)
        self._calls += 1
        if config.skip_first_ngram_calls and self._calls < config.ngram_len:
            return scores
        context = hashed(self._context)[:, None]  # (R, 1)
        tokens = torch.arange(scores.shape[1], device=scores.device)
        marked = self._tournament(scores, mixed(context, tokens))
        repeated = (self._history == context).any(dim=1, keepdim=True)
        self._history = torch.cat((context, self._history[:, :-1]), dim=1)
        return torch.where(repeated, scores, marked)

    def _tournament(self, scores: Tensor, hashes: Tensor) -> Tensor:
        """(R, V) scores and n-gram hashes to log-probabilities."""
        assert self.referees is not None
        shares = scores.softmax(dim=1)
        for layer in range(len(self.config.keys)):
            g = self.referees.values(hashes, layer)
            shares = shares * (1 + g - (g * shares).sum(dim=1, keepdim=True))
        logs = shares.log()
        return torch.where(logs.isfinite(), logs, torch.finfo(logs.dtype).min)

    def keep(self, rows: Tensor) -> None:
        if self._context is not None and self._history is not None:
            self._context, self._history = self._context[rows], self._history[rows]
