"""Greedy generation, batch 1: prefill is the call until the first token, decode from the first to the last."""

from collections.abc import Callable

import torch

from benchmarks.work.engines import engine
from benchmarks.worker import Result

PROMPT_TOKENS, NEW_TOKENS = 512, 64


def prepare(side: str, weights: str, *options: str) -> Callable[[], Result]:
    """Of a random prompt, the same for all sides.

    Args:
        options: names of arguments of generate() that are True (compile).
    """
    run = engine(side, weights, **dict.fromkeys(options, True))
    ids = torch.randint(100, 40_000, (1, PROMPT_TOKENS), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)

    def measure() -> Result:
        found = run(ids, mask, NEW_TOKENS)
        return {
            "prefill_tokens_per_second": PROMPT_TOKENS / found.prefill_seconds,
            "decode_tokens_per_second": found.decode_tokens_per_second,
            "tokens": found.tokens[0],
        }

    measure()  # the first run pays for thread pools, allocations and the compiler
    return measure
