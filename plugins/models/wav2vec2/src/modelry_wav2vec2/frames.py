"""From samples to frames: strided convolutions, and how many frames a number of samples gives.

B rows   N samples   T frames   C channels   D hidden_size
"""

from torch import Tensor, nn

from modelry.nn.activations import activation
from modelry.nn.linear import Linear
from modelry_wav2vec2.configuration import Wav2Vec2Config


class Wav2Vec2ConvLayer(nn.Module):
    """A strided convolution, a norm where `layer_norm` is one, and an activation."""

    def __init__(self, config: Wav2Vec2Config, number: int) -> None:
        super().__init__()
        inside = config.conv_dim[number - 1] if number else 1
        outside = config.conv_dim[number]
        self.conv = nn.Conv1d(
            inside, outside, config.conv_kernel[number], stride=config.conv_stride[number], bias=config.conv_bias
        )
        self.act = activation(config.feat_extract_activation)
        self.layer_norm: nn.Module | None = None
        if config.feat_extract_norm == "layer":
            self.layer_norm = nn.LayerNorm(outside)
        elif number == 0:
            self.layer_norm = nn.GroupNorm(outside, outside)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)  # (B, C, T)
        if isinstance(self.layer_norm, nn.LayerNorm):
            x = self.layer_norm(x.transpose(1, 2)).transpose(1, 2)
        elif self.layer_norm is not None:
            x = self.layer_norm(x)
        return self.act(x)


class Wav2Vec2FeatureEncoder(nn.Module):
    """(B, N) samples to (B, T, C) frames."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.conv_layers = nn.ModuleList(Wav2Vec2ConvLayer(config, number) for number in range(len(config.conv_dim)))

    def forward(self, samples: Tensor) -> Tensor:
        x = samples[:, None].to(next(self.parameters()).dtype)
        for layer in self.conv_layers:
            x = layer(x)
        return x.transpose(1, 2)


class Wav2Vec2FeatureProjection(nn.Module):
    """Frames to the width of the residual stream."""

    def __init__(self, config: Wav2Vec2Config) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(config.conv_dim[-1], eps=config.layer_norm_eps)
        self.projection = Linear(config.conv_dim[-1], config.hidden_size)
        self.dropout = nn.Dropout(config.feat_proj_dropout)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, C) to (B, T, D), and the normalised frames, which pretraining quantizes."""
        normal = self.layer_norm(frames)
        return self.dropout(self.projection(normal)), normal


def frame_counts(samples: Tensor, config: Wav2Vec2Config, *, adapter: bool) -> Tensor:
    """Frames that so many samples give, elementwise.

    Args:
        adapter: behind the adapter, where the model has one.
    """
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        samples = (samples - kernel).div(stride, rounding_mode="floor") + 1
    if adapter and config.add_adapter:
        for _ in range(config.num_adapter_layers):
            samples = (samples - 1).div(config.adapter_stride, rounding_mode="floor") + 1
    return samples.clamp(min=0)


def least_samples(config: Wav2Vec2Config) -> int:
    """Samples that give one frame."""
    samples = 1
    for kernel, stride in zip(reversed(config.conv_kernel), reversed(config.conv_stride), strict=True):
        samples = (samples - 1) * stride + kernel
    return samples


def frame_mask(attention_mask: Tensor, frames: int, config: Wav2Vec2Config, *, adapter: bool) -> Tensor:
    """(B, T) bool, True for frames of real samples.

    Args:
        attention_mask: (B, N), padded on the right.
        frames: T.
    """
    counts = frame_counts(attention_mask.sum(-1), config, adapter=adapter)
    places = attention_mask.new_ones(frames).cumsum(0) - 1
    return places < counts[:, None]
