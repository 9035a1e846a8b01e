"""How the beams are shared out among texts that have come more or less far towards the demands. Pure functions.

Hokamp and Liu 2017, https://arxiv.org/abs/1704.07138, keep a beam for each number of words met; Post and Vilar 2018,
https://arxiv.org/abs/1804.06609, divide one beam among these banks, whatever their number. Here the banks take turns.

S searches   K continuations
"""

import torch
from torch import Tensor


def in_turns(scores: Tensor, banks: Tensor) -> tuple[Tensor, Tensor]:
    """Order continuations: the best of each bank, then the second best of each, and so on; in a turn the highest
    bank comes first. So banks that are short of continuations leave their share to the others.

    Args:
        scores: (S, K); -inf is no continuation, and comes last.
        banks: (S, K) whole numbers.

    Returns:
        (S, K) places in that order, and the turn (S, K) of each in that order, 0 the first.
    """
    by_score = scores.argsort(dim=1, descending=True, stable=True)
    grouped = banks.gather(1, by_score).argsort(dim=1, descending=True, stable=True)
    places = by_score.gather(1, grouped)  # bank after bank, the best of each first
    bank = banks.gather(1, places)
    index = torch.arange(bank.shape[1], device=bank.device).expand_as(bank)
    begins = torch.ones_like(bank, dtype=torch.bool)
    begins[:, 1:] = bank[:, 1:] != bank[:, :-1]
    turns = index - torch.where(begins, index, 0).cummax(dim=1).values
    dead = scores.gather(1, places).isneginf()
    order = turns.masked_fill(dead, bank.shape[1]).argsort(dim=1, stable=True)
    return places.gather(1, order), turns.gather(1, order)
