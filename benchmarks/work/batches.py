"""Greedy generation for rows of different lengths at once, padded on the left.

B rows   P positions of the longest prompt
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.work.engines import engine
from benchmarks.worker import Result

SHORTEST, LONGEST, NEW_TOKENS = 16, 512, 64
PAD = 2


def mixed_lengths(rows: int) -> tuple[Tensor, Tensor]:
    """Random ids (B, P) and their mask; the longest and the shortest length are among the rows."""
    generator = torch.Generator().manual_seed(rows)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (rows,), generator=generator)
    lengths[:2] = torch.tensor([LONGEST, SHORTEST])[:rows]
    mask = (torch.arange(LONGEST) >= LONGEST - lengths[:, None]).long()
    ids = torch.randint(100, 40_000, (rows, LONGEST), generator=generator)
    return ids.where(mask.bool(), PAD), mask


def prepare(side: str, weights: str) -> Callable[[int], Result]:
    """Of as many rows as are asked for."""
    run = engine(side, weights)
    run(*mixed_lengths(2), 4)  # the first run pays for thread pools and allocations

    def measure(rows: int) -> Result:
        ids, mask = mixed_lengths(rows)
        found = run(ids, mask, NEW_TOKENS)
        return {
            "tokens_per_second": (int(mask.sum()) + rows * NEW_TOKENS) / found.seconds,
            "prefill_seconds": found.prefill_seconds,
            "decode_tokens_per_second": rows * found.decode_tokens_per_second,
        }

    return measure
