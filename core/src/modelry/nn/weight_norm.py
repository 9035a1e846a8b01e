"""Convolutions whose weight is a direction and a length. Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868.

B rows   D channels   T positions   K kernel width
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.checkpoint.weight_table import Rename, Row


class WeightNormConv1d(nn.Module):
    """A grouped convolution over T with padding K // 2, one length for each place of the kernel.

    Its parameters have the older of their two published names, `weight_g` (1, 1, K) and `weight_v` (D, D / groups, K);
    `weight_norm_rows` names the newer ones.

    Args:
        channels: D, in and out.
        kernel: K.
        groups: of channels that see only each other.
    """

    def __init__(self, channels: int, *, kernel: int, groups: int) -> None:
        super().__init__()
        self.groups, self.padding = groups, kernel // 2
        self.weight_g = nn.Parameter(torch.ones(1, 1, kernel))
        self.weight_v = nn.Parameter(torch.empty(channels, channels // groups, kernel))
        self.bias = nn.Parameter(torch.zeros(channels))

    @torch.no_grad()
    def fill(self, std: float) -> None:
        """Give the weight normal values: what a new model starts from."""
        self.weight_v.normal_(0.0, std)
        self.weight_g.copy_(torch.linalg.vector_norm(self.weight_v, dim=(0, 1), keepdim=True))
        self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        weight = torch._weight_norm(self.weight_v, self.weight_g, 2)
        return F.conv1d(x, weight, self.bias, padding=self.padding, groups=self.groups)  # (B, D, T or T + 1)


def weight_norm_rows(module: str) -> tuple[Row, ...]:
    """Rows of a weight table for a WeightNormConv1d at this path; the older names are read as they are."""
    return (
        Rename(f"{module}.parametrizations.weight.original0", f"{module}.weight_g"),
        Rename(f"{module}.parametrizations.weight.original1", f"{module}.weight_v"),
    )
