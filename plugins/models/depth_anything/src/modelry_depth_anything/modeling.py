"""Depth Anything: pixel values in, the distance of each pixel out, over a backbone of any family.

B images   H, W height and width in pixels   G, K rows and columns of patches   D width of the backbone   R width of the
fused maps
Papers: https://arxiv.org/abs/2401.10891, https://arxiv.org/abs/2103.13413 (the neck, DPT).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry import AutoBackbone
from modelry.image_outputs import DepthEstimatorOutput
from modelry.model import PreTrainedModel
from modelry.nn.patches import check_pixels
from modelry_depth_anything.configuration import DepthAnythingConfig

Grid = tuple[int, int]


def resized(x: Tensor, size: Sequence[int], *, corners: bool) -> Tensor:
    """A map in another size, bilinear; `corners`: corner pixels stay in the corners."""
    return F.interpolate(x, size=list(size), mode="bilinear", align_corners=corners)


class ReassembleLayer(nn.Module):
    """A sequence of patches as a map, in other channels and another size."""

    def __init__(self, width: int, channels: int, factor: float) -> None:
        super().__init__()
        self.projection = nn.Conv2d(width, channels, kernel_size=1)
        self.resize: nn.Module = nn.Identity()
        if factor > 1:
            side = int(factor)
            self.resize = nn.ConvTranspose2d(channels, channels, kernel_size=side, stride=side)
        elif factor < 1:
            self.resize = nn.Conv2d(channels, channels, kernel_size=3, stride=int(1 / factor), padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, G, K) to (B, channels, factor G, factor K)."""
        out: Tensor = self.resize(self.projection(x))
        return out


class ReassembleStage(nn.Module):
    """Every feature map of the backbone in its own size."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ReassembleLayer(config.reassemble_hidden_size, channels, factor)
            for channels, factor in zip(config.neck_hidden_sizes, config.reassemble_factors, strict=True)
        )

    def forward(self, maps: Sequence[Tensor], grid: Grid) -> list[Tensor]:
        return [layer(_as_map(one, grid)) for layer, one in zip(self.layers, maps, strict=True)]


class ResidualUnit(nn.Module):
    """Two convolutions, each behind an activation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.convolution2 = nn.Conv2d(width, width, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.convolution2(F.relu(self.convolution1(F.relu(x))))
        return x + added


class FusionLayer(nn.Module):
    """What was fused so far, and the next finer map, in that map's size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(width, width, kernel_size=1)
        self.residual_layer1 = ResidualUnit(width)
        self.residual_layer2 = ResidualUnit(width)

    def forward(self, x: Tensor, finer: Tensor | None, size: Sequence[int] | None) -> Tensor:
        if finer is not None:
            if finer.shape != x.shape:
                finer = resized(finer, x.shape[2:], corners=False)
            x = x + self.residual_layer1(finer)
        x = self.residual_layer2(x)
        size = [2 * side for side in x.shape[2:]] if size is None else size
        out: Tensor = self.projection(resized(x, size, corners=True))
        return out


class FusionStage(nn.Module):
    """From the coarsest map to the finest."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(FusionLayer(config.fusion_hidden_size) for _ in config.neck_hidden_sizes)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        coarse_first, fused = maps[::-1], []
        x = coarse_first[0]
        for number, (layer, own) in enumerate(zip(self.layers, coarse_first, strict=True)):
            size = coarse_first[number + 1].shape[2:] if number + 1 < len(maps) else None
            x = layer(x, own if number else None, size)
            fused.append(x)
        return fused


class DepthAnythingNeck(nn.Module):
    """The backbone's feature maps, fused."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        self.reassemble_stage = ReassembleStage(config)
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, config.fusion_hidden_size, kernel_size=3, padding=1, bias=False)
            for channels in config.neck_hidden_sizes
        )
        self.fusion_stage = FusionStage(config)

    def forward(self, maps: Sequence[Tensor], grid: Grid) -> list[Tensor]:
        own_sizes = self.reassemble_stage(maps, grid)
        fused: list[Tensor] = self.fusion_stage([conv(one) for conv, one in zip(self.convs, own_sizes, strict=True)])
        return fused


class DepthAnythingHead(nn.Module):
    """One number for each pixel, from a fused map."""

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__()
        half = config.fusion_hidden_size // 2
        self.conv1 = nn.Conv2d(config.fusion_hidden_size, half, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(half, config.head_hidden_size, kernel_size=3, padding=1)
        self.conv3 = nn.Conv2d(config.head_hidden_size, 1, kernel_size=1)
        self.metric = config.depth_estimation_type == "metric"
        self.largest = 1 if config.max_depth is None else config.max_depth

    def forward(self, x: Tensor, size: Sequence[int]) -> Tensor:
        """(B, R, …) to (B, H, W)."""
        x = self.conv3(F.relu(self.conv2(resized(self.conv1(x), size, corners=True))))
        return (torch.sigmoid(x) if self.metric else F.relu(x)).squeeze(1) * self.largest


class DepthAnythingForDepthEstimation(PreTrainedModel):
    """A backbone, a neck that fuses its feature maps, and a head."""

    config_class = DepthAnythingConfig
    base_model_prefix = "depth_anything"
    main_input_name = "pixel_values"
    input_embeddings_name = "backbone.embeddings.patch_embeddings"

    def __init__(self, config: DepthAnythingConfig) -> None:
        super().__init__(config)
        self.backbone = AutoBackbone.from_config(config.backbone_config)
        self.neck = DepthAnythingNeck(config)
        self.head = DepthAnythingHead(config)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> DepthEstimatorOutput:
        """Estimate the depth of whole patches, (B, patch rows x patch_size, patch columns x patch_size).

        Args:
            pixel_values: (B, channels, H, W).
            output_hidden_states, output_attentions: also return the backbone's.

        Raises:
            ValueError: images smaller than a patch or with other channels.
        """
        pixels = check_pixels(pixel_values, channels=self.config.backbone_config.num_channels)
        keep = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        weigh = self.config.output_attentions if output_attentions is None else output_attentions
        out = self.backbone(pixel_values=pixels, output_hidden_states=keep, output_attentions=weigh)
        side = self.config.patch_size
        grid = (pixels.shape[2] // side, pixels.shape[3] // side)
        fused = self.neck(out.feature_maps, grid)
        depth = self.head(fused[self.config.head_in_index], [side * count for count in grid])
        return DepthEstimatorOutput(
            predicted_depth=depth, hidden_states=out.hidden_states, attentions=out.get("attentions")
        )


def _as_map(x: Tensor, grid: Grid) -> Tensor:
    """(B, 1 + G K, D) without its class token as (B, D, G, K); a map is taken as it is."""
    return x if x.dim() == 4 else x[:, 1:].transpose(1, 2).reshape(x.shape[0], -1, *grid)
