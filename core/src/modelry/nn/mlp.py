"""Feed-forward blocks.

B batch   T new positions   D width of the residual stream   F width inside
"""

import torch
from torch import Tensor, nn

from modelry.nn.activations import Activation
from modelry.nn.linear import Linear, project


class GatedMLP(nn.Module):
    """down(act(gate(x)) * up(x)). Shazeer 2020, https://arxiv.org/abs/2002.05202.

    Args:
        size: D.
        inner: F.
        act: applied to the gate.
        bias: whether the three projections have one.
    """

    def __init__(self, size: int, inner: int, *, act: Activation, bias: bool = False) -> None:
        super().__init__()
        self.gate_proj = Linear(size, inner, bias=bias)
        self.up_proj = Linear(size, inner, bias=bias)
        self.down_proj = Linear(inner, size, bias=bias)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        gate, up = project(x, self.gate_proj, self.up_proj)  # (B, T, F) each
        opened = self.act(gate)
        mixed = opened * up if torch.is_grad_enabled() else opened.mul_(up)
        down: Tensor = self.down_proj(mixed)  # (B, T, D)
        return down
