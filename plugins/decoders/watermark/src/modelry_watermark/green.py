"""Green lists: a part of the vocabulary, drawn anew for each token from the ones before it, is made likelier.
Kirchenbauer et al. 2023, https://arxiv.org/abs/2301.10226. Finding the mark is in detection.py.

R rows   P positions so far   V vocabulary   G green tokens   C context width
"""

import warnings
from collections import OrderedDict
from typing import final

import torch
from torch import Tensor

from modelry.errors import ModelryWarning
from modelry.generation import LogitsProcessor
from modelry_watermark.parameters import WatermarkingConfig

_TABLE_SIZE = 1_000_003
_SEEDS = 2**64 - 1
_CANDIDATES = 40
"""Of self-hashing: how many of the likeliest tokens are asked whether they are green. As published."""
_KEPT = 256


@final
class GreenList:
    """Which tokens are green after some others. Always drawn on the CPU, so that it is the same on every device."""

    def __init__(self, config: WatermarkingConfig, vocab_size: int) -> None:
        self.config, self.vocab_size = config, vocab_size
        self.size = int(vocab_size * config.greenlist_ratio)
        self._generator = torch.Generator().manual_seed(config.hashing_key)
        self._table: Tensor | None = None
        if config.seeding_scheme == "selfhash":
            self._table = torch.randperm(_TABLE_SIZE, generator=self._generator)
        self._kept: OrderedDict[int, Tensor] = OrderedDict()

    def after(self, context: Tensor) -> Tensor:
        """(V,) bool: which tokens are green.

        Args:
            context: (N,) ids on the CPU, of which the last C count; for selfhash the token itself is the last of them.
        """
        seed = self._seed(context)
        if seed in self._kept:
            self._kept.move_to_end(seed)
            return self._kept[seed]
        order = torch.randperm(self.vocab_size, generator=self._generator.manual_seed(seed))
        green = torch.zeros(self.vocab_size, dtype=torch.bool)
        green[order[: self.size]] = True
        self._kept[seed] = green
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return green

    def _seed(self, context: Tensor) -> int:
        key = self.config.hashing_key
        if self._table is None:
            return key * int(context[-1]) % _SEEDS
        hashes = self._table[context[-self.config.context_width :] % _TABLE_SIZE] + 1
        # Products wrap around in 64 bits, as published.
        return int((key * hashes * hashes[-1]).min()) % _SEEDS


@final
class WatermarkLogitsProcessor(LogitsProcessor):
    """Adds the bias to green tokens.

    Args:
        config: of type WatermarkingConfig.
        vocab_size: V where scores are wider than the tokenizer's vocabulary; None: as wide as the scores.
    """

    def __init__(self, config: WatermarkingConfig, vocab_size: int | None = None) -> None:
        self.config, self.vocab_size = config, vocab_size
        self._list: GreenList | None = None
        self._warned = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        config = self.config
        if input_ids.shape[1] < config.context_width:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"tokens are not marked before {config.context_width} are there (context_width)",
                    ModelryWarning,
                    stacklevel=2,
                )
            return scores
        if self._list is None:
            self._list = GreenList(config, self.vocab_size or scores.shape[1])
        context = input_ids[:, -config.context_width :].cpu()  # (R, C)
        if config.seeding_scheme == "lefthash":
            green = torch.stack([self._list.after(row) for row in context])  # (R, V)
        else:
            green = self._green_by_themselves(self._list, context, scores)
        green = green.to(scores.device)
        marked = scores.clone()
        marked[:, : green.shape[1]] += config.bias * green
        return marked

    def _green_by_themselves(self, greens: GreenList, context: Tensor, scores: Tensor) -> Tensor:
        """(R, V) bool: the likeliest tokens that are green where they themselves belong to the context."""
        green = torch.zeros(context.shape[0], greens.vocab_size, dtype=torch.bool)
        # A full sort and no top-k: equal scores must fall in the published order.
        candidates = scores.sort(dim=-1, descending=True).indices[:, :_CANDIDATES].cpu()
        for row, tokens in enumerate(candidates):
            for token in tokens:
                green[row, token] = greens.after(torch.cat((context[row], token[None])))[token]
        return green
