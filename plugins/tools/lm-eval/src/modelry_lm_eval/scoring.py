"""How likely continuations are: rows of ids in, log probabilities out. Nothing of text or of the harness.

B rows at once   T positions   N positions that are scored   V vocabulary
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Continuation(NamedTuple):
    """What is asked of one row: how likely its last ids are behind those before them."""

    read: tuple[int, ...]
    """What the model reads: all but the last id."""
    scored: tuple[int, ...]
    """The last ids."""


class Score(NamedTuple):
    """The answer."""

    log_probability: float
    is_greedy: bool
    """Whether each id is the likeliest one."""


def continuation(context: Sequence[int], ids: Sequence[int], *, limit: int) -> Continuation:
    """What the model reads of a context and what follows it: no more than it can, the beginning is left out.

    Raises:
        ValueError: nothing is to be scored, or more than the model can read.
    """
    if not ids or not context:
        raise ValueError(
            "a continuation has no token of its own, or nothing stands before it: there is nothing to score"
        )
    if len(ids) > limit:
        raise ValueError(f"a continuation of {len(ids)} tokens is longer than the {limit} that the model reads")
    whole = (*context, *ids)[-(limit + 1) :]
    return Continuation(whole[:-1], tuple(ids))


@torch.inference_mode()
def score(
    model: Any, asked: Sequence[Continuation], *, batch_size: int, done: Callable[[int], object] = lambda _: None
) -> list[Score]:
    """Score all, in their order. Rows that the model reads alike, as choices of one token are, run once.

    The longest come first, so that what does not fit into memory says so at once. Log probabilities are computed in
    float32, and only of the positions that are asked for.

    Args:
        model: a causal language model.
        batch_size: rows at once.
        done: told how many are finished since it was last told.
    """
    alike: dict[tuple[int, ...], list[int]] = {}
    for number, one in enumerate(asked):
        alike.setdefault(one.read, []).append(number)
    rows = sorted(alike, key=lambda read: (-len(read), read))
    found: dict[int, Score] = {}
    for begin in range(0, len(rows), batch_size):
        batch = rows[begin : begin + batch_size]
        wanted = [max(len(asked[number].scored) for number in alike[read]) for read in batch]
        told = len(found)
        for read, logits in zip(batch, last_logits(model, batch, wanted), strict=True):
            for number in alike[read]:
                found[number] = _score(logits, asked[number].scored)
        done(len(found) - told)
    return [found[number] for number in range(len(asked))]


def last_logits(model: Any, rows: Sequence[Sequence[int]], wanted: Sequence[int]) -> Iterator[Tensor]:
    """Logits (N, V) of the last positions of each row, N = what is wanted of it. Rows are padded on the right."""
    width = max(len(row) for row in rows)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    for place, row in zip(ids, rows, strict=True):
        place[: len(row)] = torch.tensor(row)
    first = min(len(row) - count for row, count in zip(rows, wanted, strict=True))
    out = model(input_ids=ids.to(model.device), use_cache=False, logits_to_keep=width - first)
    for logits, row, count in zip(out.logits, rows, wanted, strict=True):
        yield logits[len(row) - count - first : len(row) - first]


def _score(logits: Tensor, ids: Sequence[int]) -> Score:
    wanted = torch.tensor(ids, device=logits.device)
    own = logits[-len(ids) :].float()
    chosen = own.log_softmax(-1).gather(1, wanted[:, None])
    return Score(float(chosen.sum()), bool((own.argmax(-1) == wanted).all()))
