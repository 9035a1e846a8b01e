"""The images' feature maps: a backbone of any family, its batch norms frozen, and timm's names for a ResNet's tensors.

B images   C channels   H, W height and width in pixels   G, K rows and columns of a map
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from modelry import AutoBackbone
from modelry.checkpoint import Ignore, Rename, WeightTable
from modelry.nn.patches import check_pixels
from modelry_detr.configuration import MAPS, DetrConfig, TimmBackboneConfig
from modelry_detr.frozen_norm import freeze_norms

_NORM = ("weight", "bias", "running_mean", "running_var")


class ConvEncoder(nn.Module):
    """The backbone, under the name that checkpoints have for what stands around it."""

    weight_table = WeightTable(Ignore("model.{rest}.num_batches_tracked"))

    def __init__(self, config: DetrConfig) -> None:
        super().__init__()
        inner: Any = config.backbone_config
        self.config = config
        self.channels: int = inner.num_channels
        self.model = AutoBackbone.from_config(inner.resnet if isinstance(inner, TimmBackboneConfig) else inner)
        freeze_norms(self.model)
        if isinstance(inner, TimmBackboneConfig) and inner.output_stride == 16:
            _dilate(self.model.get_submodule(f"encoder.stages.{len(MAPS) - 1}"))
        if self.model.config.model_type == "resnet":
            for name, parameter in self.model.named_parameters():  # edges and spots are what they are
                parameter.requires_grad_(not name.startswith(("embedder.", "encoder.stages.0.")))

    def forward(self, pixel_values: Tensor | None) -> tuple[Tensor, ...]:
        """(B, C, H, W) to a map (B, channels, G, K) for each stage that is asked for.

        Raises:
            ValueError: images with other channels.
        """
        maps: tuple[Tensor, ...] = self.model(check_pixels(pixel_values, channels=self.channels)).feature_maps
        return maps


def _timm_names() -> Iterator[tuple[str, str]]:
    """Beginnings of the names of a ResNet's convolutions and norms: timm's, and ours."""
    yield "conv1", "embedder.embedder.convolution"
    yield "bn1", "embedder.embedder.normalization"
    for stage in range(len(MAPS)):
        theirs, ours = f"layer{stage + 1}.{{j}}", f"encoder.stages.{stage}.layers.{{j}}"
        for number in range(3):  # a layer has two convolutions, or three
            yield f"{theirs}.conv{number + 1}", f"{ours}.layer.{number}.convolution"
            yield f"{theirs}.bn{number + 1}", f"{ours}.layer.{number}.normalization"
        yield f"{theirs}.downsample.0", f"{ours}.shortcut.convolution"
        yield f"{theirs}.downsample.1", f"{ours}.shortcut.normalization"


class TimmConvEncoder(ConvEncoder):
    """The same where files have timm's names of a ResNet."""

    weight_table = WeightTable(
        Ignore("model.{rest}.num_batches_tracked"),
        *(
            Rename(f"model.{theirs}.{tensor}", f"model.{ours}.{tensor}")
            for theirs, ours in _timm_names()
            for tensor in (_NORM if ours.endswith("normalization") else ("weight",))
        ),
    )


class FeatureMaps(nn.Module):
    """Under the published name: `conv_encoder`."""

    def __init__(self, config: DetrConfig) -> None:
        super().__init__()
        timm = isinstance(config.backbone_config, TimmBackboneConfig)
        self.conv_encoder = (TimmConvEncoder if timm else ConvEncoder)(config)

    def forward(self, pixel_values: Tensor | None) -> tuple[Tensor, ...]:
        """As `ConvEncoder`."""
        maps: tuple[Tensor, ...] = self.conv_encoder(pixel_values)
        return maps


def _dilate(stage: nn.Module) -> None:
    """Let the last stage keep the size of its map: what it sees of the image stays as wide (DC5)."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            halves = module.stride != (1, 1)
            module.stride = (1, 1)
            if module.kernel_size == (3, 3) and not halves:
                module.dilation = module.padding = (2, 2)
