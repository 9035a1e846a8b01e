"""Self-attention as vision transformers store it (`attention.query`, `key`, `value`, `output.dense`), and their layers.

B images   T tokens   D width   H heads
"""

from collections.abc import Iterable

from torch import Tensor, nn

from modelry.nn.activations import Activation
from modelry.nn.attention import Attend, self_attention
from modelry.nn.kept import Kept
from modelry.nn.layers import run_layers
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask
from modelry.nn.pieces import in_pieces
from modelry.nn.sdpa import sdpa_attention


class HeadsOfViT(nn.Module):
    """Queries, keys and values, and what they mix.

    Args:
        width: D.
        heads: H.
        bias: whether the three projections have one.
        dropout: of attention weights, in training.
    """

    def __init__(self, width: int, heads: int, *, bias: bool, dropout: float) -> None:
        super().__init__()
        self.heads, self.scale, self.dropout = heads, (width // heads) ** -0.5, dropout
        self.attend: Attend = sdpa_attention
        self.query = Linear(width, width, bias=bias)
        self.key = Linear(width, width, bias=bias)
        self.value = Linear(width, width, bias=bias)

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        return self_attention(
            x,
            (self.query, self.key, self.value),
            mask,
            attend=self.attend,
            heads=self.heads,
            scale=self.scale,
            dropout=self.dropout if self.training else 0.0,
        )


class Projection(nn.Module):
    """One linear layer called `dense`.

    Args:
        inputs: width of what comes in.
        outputs: width of what goes out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.dense = Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.dense(x)
        return projected


def feed_forward(
    x: Tensor, norm: nn.Module, wide: Projection, act: Activation, narrow: Projection, dropout: nn.Module
) -> Tensor:
    """x + dropout(narrow(act(wide(norm(x))))): the second half of a layer, (..., D) to the same."""

    def of_rows(rows: Tensor) -> Tensor:
        out: Tensor = rows + dropout(narrow(act(wide(norm(rows)))))
        return out

    return in_pieces(of_rows, x, wide.dense.out_features, norm, wide, narrow, dropout)


class ViTAttention(nn.Module):
    """Attention of all tokens to all, and its projection back into the residual stream; see `HeadsOfViT`."""

    def __init__(self, width: int, heads: int, *, bias: bool, dropout: float) -> None:
        super().__init__()
        self.attention = HeadsOfViT(width, heads, bias=bias, dropout=dropout)
        self.output = Projection(width, width)

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        mixed: Tensor = self.output(self.attention(x, mask))
        return mixed


class ViTLayers(nn.Module):
    """The layers of an encoder, `layer.0` and so on, one after the other.

    Args:
        layers: (x, mask) -> x each.
    """

    def __init__(self, layers: Iterable[nn.Module]) -> None:
        super().__init__()
        self.layer = nn.ModuleList(layers)

    def forward(self, x: Tensor, mask: Mask, hidden: Kept | None) -> Tensor:
        """(B, T, D) to the same.

        Args:
            hidden: a list for the residual stream before each layer and after the last.
        """
        return run_layers(self.layer, x, mask, hidden)
