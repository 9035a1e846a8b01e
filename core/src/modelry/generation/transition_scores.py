"""What each token of generated texts scored, from the record that generate returns.

R texts   R' rows that were followed (more than texts where there are beams)   N steps   L new tokens   V vocabulary
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from modelry.errors import GenerationError


def transition_scores(
    sequences: Tensor, scores: Sequence[Tensor], beam_indices: Tensor | None = None, *, normalize_logits: bool = False
) -> Tensor:
    """The score of each new token, as it was when the token was chosen.

    Args:
        sequences: (R, P + L) as returned.
        scores: N times (R', V), of output_scores=True or output_logits=True.
        beam_indices: (R, L) as returned of beams; None: row i of the scores is text i.
        normalize_logits: make them log-probabilities first (scores of beams are such already).

    Returns:
        (R, L); with beams, 0 behind a text's end. Their sums are then `sequences_scores` times the length penalty.

    Raises:
        GenerationError: there are no scores, or they are of other texts.
    """
    if not scores:
        raise GenerationError("there are no scores: generate(..., return_dict_in_generate=True, output_scores=True)")
    steps, rows = len(scores), sequences.shape[0]
    if beam_indices is None:
        if scores[0].shape[0] != rows:
            raise GenerationError(
                f"there are {rows} sequences and scores of {scores[0].shape[0]} rows: beams need beam_indices too"
            )
        origins = torch.arange(rows, device=sequences.device)[:, None].expand(rows, steps)
    else:
        origins = beam_indices[:, : int((beam_indices >= 0).sum(dim=1).max())]
    length = origins.shape[1]
    if length > min(steps, sequences.shape[1]):
        raise GenerationError(
            f"there are scores of {steps} steps, and {length} new tokens of {sequences.shape[1]}: "
            "give what one call of generate returned"
        )
    table = torch.stack([step.float() for step in scores[:length]])  # (L, R', V)
    if normalize_logits:
        table = table.log_softmax(dim=-1)
    chosen = sequences[:, sequences.shape[1] - length :].to(table.device)
    at = torch.arange(length, device=table.device)
    found: Tensor = table[at, origins.clamp(min=0).to(table.device), chosen]  # (R, L)
    return found.masked_fill(origins.to(table.device) < 0, 0.0)
