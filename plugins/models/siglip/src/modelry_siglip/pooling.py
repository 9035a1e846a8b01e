"""The head that makes one vector of an image's patches: a learned query looks at all of them.

B images   T patches   D width   H heads   E head width
Paper: https://arxiv.org/abs/2205.01917, the attentional pooler.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.nn.activations import activation
from modelry.nn.attention import Attend, merge_heads, split_heads
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask
from modelry.nn.mlp import PlainMLP
from modelry.nn.sdpa import sdpa_attention
from modelry_siglip.configuration import SiglipVisionConfig


class ProbeAttention(nn.Module):
    """Attention of given queries to patches. The three projections are published as one tensor."""

    def __init__(self, config: SiglipVisionConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads, self.scale = config.num_attention_heads, (width // config.num_attention_heads) ** -0.5
        self.attend: Attend = sdpa_attention
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.empty(3 * width))
        self.out_proj = Linear(width, width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The projections of a new model."""
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.in_proj_bias)

    def forward(self, probe: Tensor, x: Tensor) -> Tensor:
        """(B, 1, D) and (B, T, D) to (B, 1, D)."""
        width = probe.shape[-1]
        weight, bias = self.in_proj_weight, self.in_proj_bias
        q = split_heads(F.linear(probe, weight[:width], bias[:width]), self.heads)  # (B, H, 1, E)
        k, v = split_heads(F.linear(x, weight[width:], bias[width:]), 2 * self.heads).chunk(2, dim=1)  # (B, H, T, E)
        out: Tensor = self.out_proj(merge_heads(self.attend(q, k, v, Mask(), scale=self.scale)))
        return out


class AttentionPooling(nn.Module):
    """The query's answer, and an MLP beside it.

    Args:
        config: of the images' side.
    """

    def __init__(self, config: SiglipVisionConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.probe = nn.Parameter(torch.empty(1, 1, width))
        self.attention = ProbeAttention(config)
        self.layernorm = nn.LayerNorm(width, eps=config.layer_norm_eps)
        self.mlp = PlainMLP(width, config.intermediate_size, act=activation(config.hidden_act))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The query of a new model."""
        nn.init.xavier_uniform_(self.probe)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) to (B, D)."""
        pooled = self.attention(self.probe.expand(x.shape[0], -1, -1), x)[:, 0]
        out: Tensor = pooled + self.mlp(self.layernorm(pooled))
        return out
