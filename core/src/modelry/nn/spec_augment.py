"""Spans left out of what a model of sound is trained on. Park et al. 2019, https://arxiv.org/abs/1904.08779.

B rows   L steps of the axis that is masked
"""

import torch
from torch import Tensor


def masked_spans(
    rows: int,
    length: int,
    *,
    share: float,
    span: int,
    least: int = 0,
    lengths: Tensor | None = None,
    device: torch.device | None = None,
) -> Tensor:
    """Choose spans at random, which may overlap.

    Args:
        share: of the steps that would be masked if no spans overlapped.
        span: steps of each; a shorter axis is one span.
        least: spans in each row, whatever the share.
        lengths: (B,) real steps of each row; L when None.

    Returns:
        (B, L) bool, True where something is left out.
    """
    span = min(span, length)
    real = [length] * rows if lengths is None else [int(one) for one in lengths]
    rounding = float(torch.rand(()))  # rounds up as often as the fraction says
    mask = torch.zeros(rows, length, dtype=torch.bool)
    for row, steps in enumerate(real):
        places = max(0, steps - span + 1)
        count = min(max(int(share * steps / span + rounding), least), length // span, places)
        if count > 0:
            starts = torch.randperm(places)[:count]
            mask[row, (starts[:, None] + torch.arange(span)).flatten()] = True
    return mask.to(device)
