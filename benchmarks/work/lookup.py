"""A text that repeats itself, continued greedily: one token a step, or with drafts copied from the text."""

from collections.abc import Callable

import torch

from benchmarks.weights import GGUF
from benchmarks.work.engines import engine
from benchmarks.work.library import library
from benchmarks.worker import Result

PROMPT_TOKENS, NEW_TOKENS, DRAFT_TOKENS = 512, 64, 10

PASSAGE = """def area_of_room(width, height):
    if width < 0 or height < 0:
        raise ValueError("a room has no negative sides")
    return width * height


"""
"""Said again and again: every token of what follows is certain, so that rounding in bfloat16, which is another for one
position than for several, cannot change the choice."""


def prepare(side: str, weights: str, how: str) -> Callable[[], Result]:
    """Of one passage, said again and again.

    Args:
        how: "plain", or "lookup" for prompt lookup.
    """
    text = PASSAGE * 16
    ids = library(side).AutoTokenizer.from_pretrained(GGUF)(text, return_tensors="pt")["input_ids"][:, -PROMPT_TOKENS:]
    assert ids.shape[1] == PROMPT_TOKENS, f"the text has only {ids.shape[1]} tokens"
    run = engine(side, weights, **({"prompt_lookup_num_tokens": DRAFT_TOKENS} if how == "lookup" else {}))
    mask = torch.ones_like(ids)

    def measure() -> Result:
        found = run(ids, mask, NEW_TOKENS)
        return {
            "decode_tokens_per_second": found.decode_tokens_per_second,
            "seconds": found.seconds,
            "tokens": found.tokens[0],
        }

    measure()  # the first run pays for thread pools and allocations
    return measure
