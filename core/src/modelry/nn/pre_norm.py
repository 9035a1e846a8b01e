"""Layers that normalise what enters a block, under the names of CLIP and its successors: layer_norm1, self_attn, mlp.

B rows   T positions   D width of the residual stream
"""

from torch import Tensor, nn

from modelry.nn.activations import activation
from modelry.nn.encoder_decoder import SelfAttention
from modelry.nn.kept import Kept
from modelry.nn.layers import run_layers
from modelry.nn.masks import Mask
from modelry.nn.mlp import PlainMLP
from modelry.nn.tower_config import TowerConfig


class PreNormLayer(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream.

    Args:
        config: of the side that the layer belongs to.
    """

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.layer_norm_eps
        self.layer_norm1 = nn.LayerNorm(width, eps=eps)
        self.self_attn = SelfAttention(width, config.num_attention_heads, dropout=config.attention_dropout)
        self.layer_norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = PlainMLP(width, config.intermediate_size, act=activation(config.hidden_act))

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x), mask)
        out: Tensor = x + self.mlp(self.layer_norm2(x))
        return out


class PreNormEncoder(nn.Module):
    """The layers, one after the other.

    Args:
        config: of the side that they belong to.
    """

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(PreNormLayer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, mask: Mask, hidden: Kept | None) -> Tensor:
        """(B, T, D) to (B, T, D); the stream before each layer and after the last is appended to `hidden`."""
        return run_layers(self.layers, x, mask, hidden)
