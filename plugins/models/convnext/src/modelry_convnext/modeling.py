"""ConvNeXT: pixel values in, feature maps of ever coarser stages out. No files, devices or image preparation here.

B images   C channels of the images   H, W height and width in pixels   D channels of a stage   G, K rows and columns of
its map
Paper: https://arxiv.org/abs/2201.03545.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelry.heads.image_classification import ImageClassification
from modelry.heads.staged import StagedBackbone, StagedModel
from modelry.nn.activations import activation
from modelry.nn.linear import Linear
from modelry.nn.patches import check_pixels
from modelry.nn.residual import drop_path, rising_rates
from modelry_convnext.configuration import ConvNextConfig

EPS = 1e-6


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of a map, (B, D, G, K)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPS)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNextEmbeddings(nn.Module):
    """Patches, normalised."""

    def __init__(self, config: ConvNextConfig) -> None:
        super().__init__()
        self.channels = config.num_channels
        side: Any = config.patch_size
        self.patch_embeddings = nn.Conv2d(config.num_channels, config.hidden_sizes[0], kernel_size=side, stride=side)
        self.layernorm = ChannelNorm(config.hidden_sizes[0])

    def forward(self, pixel_values: Tensor | None) -> Tensor:
        """(B, C, H, W) to (B, D, G, K).

        Raises:
            ValueError: images with other channels.
        """
        pixels = check_pixels(pixel_values, channels=self.channels)
        x: Tensor = self.layernorm(self.patch_embeddings(pixels.to(self.patch_embeddings.weight.dtype)))
        return x


class ConvNextLayer(nn.Module):
    """A wide convolution of each channel by itself, then an MLP over the channels of each place."""

    def __init__(self, config: ConvNextConfig, width: int, *, drop_path_rate: float) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, kernel_size=7, padding=3, groups=width)
        self.layernorm = nn.LayerNorm(width, eps=EPS)
        self.pwconv1 = Linear(width, 4 * width)
        self.act = activation(config.hidden_act)
        self.pwconv2 = Linear(4 * width, width)
        self.start, self.drop_path_rate = config.layer_scale_init_value, drop_path_rate
        self.layer_scale_parameter = nn.Parameter(torch.full((width,), self.start)) if self.start > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        inside = self.layernorm(self.dwconv(x).permute(0, 2, 3, 1))  # (B, G, K, D)
        added: Tensor = self.pwconv2(self.act(self.pwconv1(inside)))
        if self.layer_scale_parameter is not None:
            added = added * self.layer_scale_parameter
        return x + drop_path(added.permute(0, 3, 1, 2), self.drop_path_rate, training=self.training)


class ConvNextStage(nn.Module):
    """Layers of one width, behind a norm and a convolution that halves the map where a stage came before."""

    def __init__(self, config: ConvNextConfig, number: int, rates: list[float]) -> None:
        super().__init__()
        width = config.hidden_sizes[number]
        before = config.hidden_sizes[number - 1] if number else width
        halving = [ChannelNorm(before), nn.Conv2d(before, width, kernel_size=2, stride=2)]
        self.downsampling_layer = nn.ModuleList(halving if number else [])
        self.layers = nn.ModuleList(ConvNextLayer(config, width, drop_path_rate=rate) for rate in rates)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.downsampling_layer:
            x = layer(x)
        for layer in self.layers:
            x = layer(x)
        return x


class ConvNextEncoder(nn.Module):
    """The stages, one after the other."""

    def __init__(self, config: ConvNextConfig) -> None:
        super().__init__()
        rates = iter(rising_rates(config.drop_path_rate, sum(config.depths)))
        self.stages = nn.ModuleList(
            ConvNextStage(config, number, [next(rates) for _ in range(depth)])
            for number, depth in enumerate(config.depths)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """The stem's map, then each stage's."""
        maps = [x]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class ConvNextModel(StagedModel):
    """The stem, stages, and a norm of the mean of all places."""

    config_class = ConvNextConfig
    base_model_prefix = "convnext"
    input_embeddings_name = "embeddings.patch_embeddings"

    def __init__(self, config: ConvNextConfig) -> None:
        super().__init__(config)
        self.embeddings = ConvNextEmbeddings(config)
        self.encoder = ConvNextEncoder(config)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def maps(self, pixel_values: Tensor | None) -> Sequence[Tensor]:
        found: list[Tensor] = self.encoder(self.embeddings(pixel_values))
        return found

    def pooled(self, last: Tensor) -> Tensor:
        """The mean of all places, normalised, (B, D)."""
        out: Tensor = self.layernorm(last.mean((-2, -1)))
        return out


class ConvNextForImageClassification(ImageClassification):
    """ConvNeXT that gives an image its labels."""

    base_class = ConvNextModel
    base_model_prefix = "convnext"


class ConvNextBackbone(StagedBackbone):
    """ConvNeXT that gives feature maps, one for each stage that config.out_features names."""

    config_class = ConvNextConfig
    base_model_prefix = "convnext"
    input_embeddings_name = "embeddings.patch_embeddings"
    optional_parts = ("hidden_states_norms.", "layernorm.")

    def __init__(self, config: ConvNextConfig) -> None:
        super().__init__(config)
        self.embeddings = ConvNextEmbeddings(config)
        self.encoder = ConvNextEncoder(config)
        self.hidden_states_norms = nn.ModuleDict(
            {name: ChannelNorm(width) for name, width in zip(config.out_features or (), config.channels, strict=True)}
        )

    def maps(self, pixel_values: Tensor | None) -> Sequence[Tensor]:
        found: list[Tensor] = self.encoder(self.embeddings(pixel_values))
        return found

    def finished(self, stage: str, plane: Tensor) -> Tensor:
        """Normalised."""
        out: Tensor = self.hidden_states_norms[stage](plane)
        return out
