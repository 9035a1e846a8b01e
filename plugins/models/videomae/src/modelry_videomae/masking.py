"""Which tubelets of a video are masked. Pure functions.

B videos   N tubelets of a video   V as many of each as are wanted   D width
"""

import torch
from torch import Tensor


def check_masked(masked: Tensor, *, videos: int, tubelets: int) -> Tensor:
    """A mask as bool.

    Args:
        masked: (B, N) bool or 0 and 1.
        videos: B.
        tubelets: N.

    Raises:
        ValueError: another shape, rows that mask different numbers of tubelets, or all of them.
    """
    if masked.shape != (videos, tubelets):
        raise ValueError(f"bool_masked_pos has shape {tuple(masked.shape)}; (videos, tubelets) is {(videos, tubelets)}")
    counts = masked.bool().sum(dim=1)
    least, most = int(counts.min()), int(counts.max())
    if least != most:
        raise ValueError(f"bool_masked_pos masks {least} to {most} tubelets of a video: mask as many in each")
    if least == tubelets:
        raise ValueError(f"bool_masked_pos masks all {tubelets} tubelets: leave some to be seen")
    return masked.bool()


def rows_of(x: Tensor, chosen: Tensor) -> Tensor:
    """The chosen vectors of each row, in order.

    Args:
        x: (B, N, D).
        chosen: (B, N) bool, V of each row.

    Returns:
        (B, V, D).
    """
    return torch.masked_select(x, chosen.unsqueeze(-1)).view(x.shape[0], -1, x.shape[-1])
