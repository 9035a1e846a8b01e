"""What stands between a block and the residual stream: a learned scale, and blocks left out in training.

B rows   D width
"""

import torch
from torch import Tensor, nn


def drop_path(x: Tensor, rate: float, *, training: bool) -> Tensor:
    """Leave out a whole block for some rows, and scale the others up. https://arxiv.org/abs/1603.09382.

    Args:
        x: (B, ...), what the block adds to the residual stream.
        rate: probability of leaving it out, in [0, 1); nothing happens outside of training.
    """
    if rate == 0.0 or not training:
        return x
    kept = torch.rand(x.shape[0], *[1] * (x.dim() - 1), device=x.device) >= rate
    return x * kept.to(x.dtype).div(1 - rate)


def rising_rates(most: float, depth: int) -> list[float]:
    """A rate of `drop_path` for each of `depth` blocks, from 0 to `most` in equal steps."""
    return [most * block / max(depth - 1, 1) for block in range(depth)]


class LayerScale(nn.Module):
    """A learned factor for each channel of what a block adds. Touvron et al. 2021, https://arxiv.org/abs/2103.17239.

    Args:
        width: D.
        start: the factors of a new model.
    """

    def __init__(self, width: int, *, start: float) -> None:
        super().__init__()
        self.start = start
        self.lambda1 = nn.Parameter(torch.full((width,), start))

    def reset_parameters(self) -> None:
        """The factors of a new model."""
        nn.init.constant_(self.lambda1, self.start)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.lambda1
