"""The loss of text that is written frame by frame, without saying which frame says what.

B rows   T frames   U labels   V vocabulary
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.heads.losses import IGNORED, refuse_outside


def ctc_loss(
    logits: Tensor,
    labels: Tensor,
    lengths: Tensor,
    *,
    blank: int,
    reduction: Literal["none", "mean", "sum"] = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Connectionist temporal classification. Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf.

    Args:
        logits: (B, T, V).
        labels: (B, U); -100 and the blank do not count.
        lengths: (B,) frames of each row that count.
        blank: the token that says nothing.
        zero_infinity: whether a row with more labels than frames costs nothing.

    Raises:
        ValueError: a label is outside 0 to V - 1.
    """
    labels = labels.to(logits.device)
    refuse_outside(labels, count=logits.shape[-1])
    counts = (labels != IGNORED) & (labels != blank)
    return F.ctc_loss(
        F.log_softmax(logits, dim=-1, dtype=torch.float32).transpose(0, 1),
        labels[counts],
        lengths,
        counts.sum(-1),
        blank=blank,
        reduction=reduction,
        zero_infinity=zero_infinity,
    )
