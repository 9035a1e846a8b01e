"""Feed-forward blocks.

B batch   T new positions   D width of the residual stream   F width inside
"""

from torch import Tensor, nn

from modelry.nn.activated import activated, gated
from modelry.nn.activations import Activation
from modelry.nn.linear import Linear
from modelry.nn.pieces import in_pieces


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
        down: Tensor = self.down_proj(gated(x, self.gate_proj, self.up_proj, self.act))  # (B, T, F) inside
        return down


class PlainMLP(nn.Module):
    """fc2(act(fc1(x))), the feed-forward block of https://arxiv.org/abs/1706.03762 under its most common names.

    Args:
        size: D.
        inner: F.
        act: between the two.
    """

    def __init__(self, size: int, inner: int, *, act: Activation) -> None:
        super().__init__()
        self.fc1 = Linear(size, inner)
        self.fc2 = Linear(inner, size)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return in_pieces(self._of_rows, x, self.fc1.out_features, self)

    def _of_rows(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(activated(x, self.fc1, self.act))  # (..., F) inside
        return out
