"""The parts of BERT-like encoders, which normalise after adding: under the names that their checkpoints have.

B batch   T positions   D width of the residual stream   F width inside
"""

from torch import Tensor, nn

from modelry.nn.activated import activated
from modelry.nn.activations import Activation
from modelry.nn.linear import Linear
from modelry.nn.pieces import in_pieces


class DenseAddNorm(nn.Module):
    """LayerNorm(dropout(dense(x)) + residual): what ends both halves of a layer.

    Args:
        inner: width of x: F, or H E.
        size: D.
        eps: of the norm.
        dropout: probability of dropping a value in training.
    """

    def __init__(self, inner: int, size: int, *, eps: float, dropout: float) -> None:
        super().__init__()
        self.dense = Linear(inner, size)
        self.LayerNorm = nn.LayerNorm(size, eps=eps)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, residual: Tensor) -> Tensor:
        normal: Tensor = self.LayerNorm(self.dropout(self.dense(x)) + residual)  # (B, T, D)
        return normal


class DenseActivation(nn.Module):
    """act(dense(x)): the wide half of a feed-forward block.

    Args:
        size: D.
        inner: F.
        act: applied to the product.
    """

    def __init__(self, size: int, inner: int, *, act: Activation) -> None:
        super().__init__()
        self.dense = Linear(size, inner)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        return activated(x, self.dense, self.act)  # (B, T, F)


def feed_forward(x: Tensor, wide: DenseActivation, narrow: DenseAddNorm) -> Tensor:
    """narrow(wide(x), x): the second half of a layer, (..., D) to the same."""
    return in_pieces(lambda rows: narrow(wide(rows), rows), x, wide.dense.out_features, wide, narrow)


class FirstTokenPooler(nn.Module):
    """tanh(dense(x of the first token)): one vector for the whole input.

    Args:
        size: D.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.dense = Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        pooled: Tensor = self.dense(x[:, 0]).tanh()  # (B, D)
        return pooled
