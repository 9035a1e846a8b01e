"""The transformer over frames, normalising before its blocks (stable) or after, and what may stand behind it.

B rows   T frames   D hidden_size   H heads   F intermediate_size
"""

import torch
from torch import Tensor, nn

from modelry.nn.activations import activation
from modelry.nn.attention import Attend, self_attention
from modelry.nn.kept import Kept
from modelry.nn.layers import run_layers
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, bidirectional_mask
from modelry.nn.sdpa import sdpa_attention
from modelry.nn.weight_norm import WeightNormConv1d
from modelry_wav2vec2.configuration import Wav2Vec2Config


class Wav2Vec2PositionalConvEmbedding(nn.Module):
    """Where a frame is, from its neighbours."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.conv = WeightNormConv1d(
            config.hidden_size,
            kernel=config.num_conv_pos_embeddings,
            groups=config.num_conv_pos_embedding_groups,
        )
        self.act = activation(config.feat_extract_activation)

    def forward(self, x: Tensor) -> Tensor:
        places: Tensor = self.conv(x.transpose(1, 2))[:, :, : x.shape[1]]  # an even kernel gives one too many
        return self.act(places).transpose(1, 2)


class Wav2Vec2Attention(nn.Module):
    """Every frame looks at every real frame."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.scale = (width // self.heads) ** -0.5
        self.dropout = config.attention_dropout
        self.attend: Attend = sdpa_attention
        self.k_proj = Linear(width, width)
        self.v_proj = Linear(width, width)
        self.q_proj = Linear(width, width)
        self.out_proj = Linear(width, width)

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        mixed = self_attention(
            x,
            (self.q_proj, self.k_proj, self.v_proj),
            mask,
            attend=self.attend,
            heads=self.heads,
            scale=self.scale,
            dropout=self.dropout if self.training else 0.0,
        )
        out: Tensor = self.out_proj(mixed)
        return out


class Wav2Vec2FeedForward(nn.Module):
    """Two layers with an activation between."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.intermediate_dense = Linear(config.hidden_size, config.intermediate_size)
        self.intermediate_dropout = nn.Dropout(config.activation_dropout)
        self.output_dense = Linear(config.intermediate_size, config.hidden_size)
        self.output_dropout = nn.Dropout(config.hidden_dropout)
        self.act = activation(config.hidden_act)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.intermediate_dropout(self.act(self.intermediate_dense(x)))  # (B, T, F)
        out: Tensor = self.output_dropout(self.output_dense(inside))
        return out


class Wav2Vec2AttnAdapterLayer(nn.Module):
    """A narrow block at the end of a layer that alone is trained for a language. https://arxiv.org/abs/2305.13516."""

    def __init__(self, config: Wav2Vec2Config, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.linear_1 = Linear(config.hidden_size, inner)
        self.linear_2 = Linear(inner, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear_2(self.linear_1(self.norm(x)).relu())
        return out


class Wav2Vec2EncoderLayer(nn.Module):
    """Attention and the feed-forward block, each added to the residual stream."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.stable = config.do_stable_layer_norm
        self.attention = Wav2Vec2Attention(config)
        self.dropout = nn.Dropout(config.hidden_dropout)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = Wav2Vec2FeedForward(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.adapter_layer: Wav2Vec2AttnAdapterLayer | None = None
        if self.stable and config.adapter_attn_dim is not None:
            self.adapter_layer = Wav2Vec2AttnAdapterLayer(config, config.adapter_attn_dim)

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        if not self.stable:
            x = self.layer_norm(x + self.dropout(self.attention(x, mask)))
            normal: Tensor = self.final_layer_norm(x + self.feed_forward(x))
            return normal
        x = x + self.dropout(self.attention(self.layer_norm(x), mask))
        x = x + self.feed_forward(self.final_layer_norm(x))
        return x if self.adapter_layer is None else x + self.adapter_layer(x)


class Wav2Vec2Encoder(nn.Module):
    """Positions, layers, and a norm before them or, in the stable variant, behind them."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.stable, self.layerdrop = config.do_stable_layer_norm, config.layerdrop
        self.pos_conv_embed = Wav2Vec2PositionalConvEmbedding(config)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout)
        self.layers = nn.ModuleList(Wav2Vec2EncoderLayer(config) for _ in range(config.num_hidden_layers))

    def forward(self, x: Tensor, real: Tensor | None, *, hidden: Kept | None, weights: Kept | None) -> Tensor:
        """
        Args:
            x: (B, T, D).
            real: (B, T) bool, True for frames that are no padding; None where nothing is padded.
            hidden: a list to which the input of each layer and the last output, (B, T, D), are appended.
            weights: see `modelry.nn.masks.Mask`.
        """
        if real is not None:
            x = x * real[:, :, None]
        mask = bidirectional_mask(real, weights=weights)
        x = x + self.pos_conv_embed(x)
        x = self.dropout(x if self.stable else self.layer_norm(x))
        x = run_layers(self.layers, x, mask, hidden, layerdrop=self.layerdrop if self.training else 0.0)
        return self.layer_norm(x) if self.stable else x


class Wav2Vec2AdapterLayer(nn.Module):
    """A strided convolution with a gate."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        width = config.output_hidden_size
        self.conv = nn.Conv1d(width, 2 * width, config.adapter_kernel_size, stride=config.adapter_stride, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.glu(self.conv(x), dim=1)


class Wav2Vec2Adapter(nn.Module):
    """Fewer frames, for decoders that read them."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.layerdrop = config.layerdrop
        self.proj: nn.Module | None = None
        self.proj_layer_norm: nn.Module | None = None
        if config.output_hidden_size != config.hidden_size:
            self.proj = Linear(config.hidden_size, config.output_hidden_size)
            self.proj_layer_norm = nn.LayerNorm(config.output_hidden_size)
        self.layers = nn.ModuleList(Wav2Vec2AdapterLayer(config) for _ in range(config.num_adapter_layers))

    def forward(self, x: Tensor) -> Tensor:
        if self.proj is not None and self.proj_layer_norm is not None:
            x = self.proj_layer_norm(self.proj(x))
        x = x.transpose(1, 2)
        for layer in self.layers:
            if not (self.training and self.layerdrop and float(torch.rand(())) < self.layerdrop):
                x = layer(x)
        return x.transpose(1, 2)
