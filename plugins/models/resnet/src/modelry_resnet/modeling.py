"""ResNet: pixel values in, feature maps of ever coarser stages out. No files, devices or image preparation here.

B images   C channels of the images   H, W height and width in pixels   D channels of a stage   G, K rows and columns of
its map
Paper: https://arxiv.org/abs/1512.03385.
"""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from modelry.heads.image_classification import ImageClassification
from modelry.heads.staged import StagedBackbone, StagedModel
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.linear import Linear
from modelry.nn.patches import check_pixels
from modelry_resnet.configuration import REDUCTION, ResNetConfig


class ConvLayer(nn.Module):
    """A convolution, normalised over the batch, and an activation where one is named."""

    def __init__(self, before: int, after: int, *, side: int, stride: int = 1, act: str | None = None) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, after, kernel_size=side, stride=stride, padding=side // 2, bias=False)
        self.normalization = nn.BatchNorm2d(after)
        self.act = None if act is None else activation(act)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.normalization(self.convolution(x))
        if self.act is F.relu:
            return y.relu_()  # nobody else has it, and its gradient needs the result alone
        return y if self.act is None else self.act(y)


class ResNetLayer(nn.Module):
    """Two or three convolutions beside a shortcut, which is one itself where the map changes.

    Activations between the convolutions are relu whatever config.hidden_act says, as published.
    """

    def __init__(self, config: ResNetConfig, before: int, after: int, *, stride: int) -> None:
        super().__init__()
        changes = before != after or stride != 1
        self.shortcut = ConvLayer(before, after, side=1, stride=stride) if changes else nn.Identity()
        if config.layer_type == "basic":
            layers = [ConvLayer(before, after, side=3, stride=stride, act="relu"), ConvLayer(after, after, side=3)]
        else:
            inner = after // REDUCTION
            first, second = (stride, 1) if config.downsample_in_bottleneck else (1, stride)
            layers = [
                ConvLayer(before, inner, side=1, stride=first, act="relu"),
                ConvLayer(inner, inner, side=3, stride=second, act="relu"),
                ConvLayer(inner, after, side=1),
            ]
        self.layer = nn.Sequential(*layers)
        self.act = activation(config.hidden_act)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x) + self.shortcut(x)
        return y.relu_() if self.act is F.relu else self.act(y)


class ResNetStage(nn.Module):
    """Layers of one width, the first of which halves the map."""

    def __init__(self, config: ResNetConfig, number: int) -> None:
        super().__init__()
        before, after = config.stage_channels[number : number + 2]
        stride = 2 if number or config.downsample_in_first_stage else 1
        layers = [ResNetLayer(config, before, after, stride=stride)]
        layers += [ResNetLayer(config, after, after, stride=1) for _ in range(config.depths[number] - 1)]
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class ResNetEncoder(nn.Module):
    """The stages, one after the other."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.stages = nn.ModuleList(ResNetStage(config, number) for number in range(len(config.depths)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """The stem's map, then each stage's."""
        maps = [x]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps


class ResNetEmbeddings(nn.Module):
    """The stem: a wide convolution and the largest of every three by three values, a quarter of the size."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.channels = config.num_channels
        self.embedder = ConvLayer(config.num_channels, config.embedding_size, side=7, stride=2, act=config.hidden_act)
        self.pooler = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    def forward(self, pixel_values: Tensor | None) -> Tensor:
        """(B, C, H, W) to (B, D, H/4, W/4).

        Raises:
            ValueError: images with other channels.
        """
        pixels = check_pixels(pixel_values, channels=self.channels)
        x: Tensor = self.pooler(self.embedder(pixels.to(self.embedder.convolution.weight.dtype)))
        return x


def start_weights(model: PreTrainedModel, module: nn.Module) -> None:
    """Fill a convolution with the variance that activations keep, as He et al. 2015 do, and other modules as ever.
    https://arxiv.org/abs/1502.01852.
    """
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    else:
        PreTrainedModel.init_weights(model, module)


class ResNetModel(StagedModel):
    """The stem, the stages, and the mean of all places."""

    config_class = ResNetConfig
    base_model_prefix = "resnet"
    input_embeddings_name = "embedder.embedder"
    init_weights = start_weights

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        self.embedder = ResNetEmbeddings(config)
        self.encoder = ResNetEncoder(config)

    def maps(self, pixel_values: Tensor | None) -> Sequence[Tensor]:
        found: list[Tensor] = self.encoder(self.embedder(pixel_values))
        return found

    def pooled(self, last: Tensor) -> Tensor:
        """The mean of all places, (B, D, 1, 1) as published."""
        return last.mean((2, 3), keepdim=True)


class ResNetForImageClassification(ImageClassification):
    """ResNet that gives an image its labels."""

    base_class = ResNetModel
    base_model_prefix = "resnet"
    init_weights = start_weights

    def make_classifier(self, width: int) -> nn.Module:
        """Behind a flattening, as the published names say."""
        return nn.Sequential(nn.Flatten(), Linear(width, self.config.num_labels))


class ResNetBackbone(StagedBackbone):
    """ResNet that gives feature maps, one for each stage that config.out_features names."""

    config_class = ResNetConfig
    base_model_prefix = "resnet"
    input_embeddings_name = "embedder.embedder"
    init_weights = start_weights

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__(config)
        self.embedder = ResNetEmbeddings(config)
        self.encoder = ResNetEncoder(config)

    def maps(self, pixel_values: Tensor | None) -> Sequence[Tensor]:
        found: list[Tensor] = self.encoder(self.embedder(pixel_values))
        return found
