"""Decoding after a context of some length, by a batch of some size."""

import statistics
from collections.abc import Callable
from itertools import pairwise

import torch

from benchmarks.work.engines import engine
from benchmarks.worker import Result

NEW_TOKENS = 9
"""Few: it is the price of one step that is looked for, and the prompt is what takes the time."""


def prepare(side: str, weights: str) -> Callable[[int, int], Result]:
    """Of random prompts without padding."""
    run = engine(side, weights)

    def measure(context: int, batch: int) -> Result:
        generator = torch.Generator().manual_seed(context)
        ids = torch.randint(100, 40_000, (batch, context), generator=generator)
        found = run(ids, torch.ones_like(ids), NEW_TOKENS)
        step = statistics.median(later - earlier for earlier, later in pairwise(found.times))
        return {
            "decode_tokens_per_second": batch / step,
            "prefill_tokens_per_second": batch * context / found.prefill_seconds,
        }

    measure(64, 1)  # the first run pays for thread pools and allocations
    return measure
