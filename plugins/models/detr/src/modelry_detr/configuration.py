"""What a DETR config.json means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from modelry.backbone_config import BackboneConfig
from modelry.configuration import ModelConfig, Nested, config_class
from modelry.nn.activation_names import ActivationName

TIMM = "timm_backbone"
"""What files call a backbone that has timm's tensor names."""
RESNETS: Mapping[str, tuple[str, list[int], list[int]]] = {
    "resnet18": ("basic", [2, 2, 2, 2], [64, 128, 256, 512]),
    "resnet34": ("basic", [3, 4, 6, 3], [64, 128, 256, 512]),
    "resnet50": ("bottleneck", [3, 4, 6, 3], [256, 512, 1024, 2048]),
    "resnet101": ("bottleneck", [3, 4, 23, 3], [256, 512, 1024, 2048]),
    "resnet152": ("bottleneck", [3, 8, 36, 3], [256, 512, 1024, 2048]),
}
"""timm's names: kind of layers, layers and channels of each stage."""
MAPS = [1, 2, 3, 4]
"""The stages whose maps are seen, where a file does not say."""
_KWARGS = {"out_indices", "in_chans", "num_channels", "output_stride"}


class TimmBackboneConfig(ModelConfig):
    """A ResNet whose tensors have timm's names.

    Raises:
        ConfigError: timm has it, and it is no ResNet.
    """

    model_type: Literal["timm_backbone"] = "timm_backbone"
    backbone: str = "resnet50"
    num_channels: int = Field(3, gt=0)
    out_indices: list[int] = Field(default_factory=lambda: list(MAPS), min_length=1)
    output_stride: Literal[16, 32] | None = Field(None, description="16: the last stage is dilated, not halved")
    features_only: Literal[True] = True
    out_features: list[str] | None = Field(None, description="timm's names of out_indices; unread")
    stage_names: list[str] | None = Field(None, description="timm's names of all; unread")
    freeze_batch_norm_2d: bool = Field(False, description="DETR's are always frozen")
    use_pretrained_backbone: bool | None = Field(None, description="weights come from the checkpoint, always")

    @property
    def channels(self) -> list[int]:
        """Channels of each map."""
        sizes = [64, *RESNETS[self.known][2]]
        return [sizes[number] for number in self.out_indices]

    @property
    def known(self) -> str:
        """The name without what it was trained on: resnet50 of resnet50.a1_in1k."""
        return self.backbone.partition(".")[0]

    @property
    def resnet(self) -> ModelConfig:
        """The same as the installed ResNet family has it."""
        layer_type, depths, sizes = RESNETS[self.known]
        return config_class("resnet")(
            num_channels=self.num_channels,
            layer_type=layer_type,
            depths=list(depths),
            hidden_sizes=list(sizes),
            out_indices=list(self.out_indices),
        )

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if self.known not in RESNETS:
            raise ValueError(
                f"backbone is {self.backbone!r}; of timm's there are {', '.join(RESNETS)}. For another, give "
                "backbone_config with the model_type of an installed family"
            )
        last = len(MAPS)
        self.__dict__["out_indices"] = [one + last + 1 if one < 0 else one for one in self.out_indices]
        if self.out_indices != sorted(set(self.out_indices)) or not set(self.out_indices) <= set(range(last + 1)):
            raise ValueError(f"out_indices {self.out_indices} must be some of 0 to {last}, each once, in this order")
        return self


class DetrConfig(ModelConfig):
    """Field names are the published ones, defaults those of DETR with a ResNet-50.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
        RegistryError: no installed package provides the backbone's family.
    """

    without_effect: ClassVar = ("classifier_dropout", "max_position_embeddings", "scale_embedding")
    model_type: Literal["detr"] = "detr"
    backbone_config: Annotated[SerializeAsAny[ModelConfig], Nested("resnet", own={TIMM: TimmBackboneConfig})]
    use_timm_backbone: bool | None = Field(None, description="of older files: `backbone` is one of timm's")
    backbone: str | None = Field(None, description="of older files: its name")
    backbone_kwargs: dict[str, Any] | None = Field(None, description="of older files: what timm was called with")
    use_pretrained_backbone: bool | None = Field(None, description="weights come from the checkpoint, always")
    dilation: bool = Field(False, description="timm's: dilate the last stage instead of halving its map (DC5)")
    num_channels: int = Field(3, gt=0)
    num_queries: int = Field(100, gt=0, description="Q, the most objects of an image")
    d_model: int = Field(256, gt=0, description="D")
    encoder_layers: int = Field(6, ge=0)
    encoder_ffn_dim: int = Field(2048, gt=0)
    encoder_attention_heads: int = Field(8, gt=0)
    decoder_layers: int = Field(6, gt=0)
    decoder_ffn_dim: int = Field(2048, gt=0)
    decoder_attention_heads: int = Field(8, gt=0)
    encoder_layerdrop: int | float = Field(0.0, ge=0, le=1, description="read and kept; no layer is left out")
    decoder_layerdrop: int | float = Field(0.0, ge=0, le=1, description="read and kept; no layer is left out")
    is_encoder_decoder: bool = True
    activation_function: ActivationName = "relu"
    dropout: int | float = Field(0.1, ge=0, le=1)
    attention_dropout: int | float = Field(0.0, ge=0, le=1)
    activation_dropout: int | float = Field(0.0, ge=0, le=1)
    init_std: float = Field(0.02, ge=0)
    init_xavier_std: float = Field(1.0, ge=0)
    auxiliary_loss: bool = Field(False, description="every decoder layer's objects are compared with the labels")
    position_embedding_type: Literal["sine", "learned"] = "sine"
    class_cost: int | float = Field(1, ge=0, description="in matching objects to labels")
    bbox_cost: int | float = Field(5, ge=0)
    giou_cost: int | float = Field(2, ge=0)
    mask_loss_coefficient: int | float = 1
    dice_loss_coefficient: int | float = 1
    bbox_loss_coefficient: int | float = 5
    giou_loss_coefficient: int | float = 2
    eos_coefficient: float = Field(0.1, ge=0, description="how much a query without an object counts")

    @property
    def hidden_size(self) -> int:
        """D, under the standard name."""
        return self.d_model

    @property
    def num_hidden_layers(self) -> int:
        """The encoder's."""
        return self.encoder_layers

    @property
    def num_attention_heads(self) -> int:
        """The encoder's."""
        return self.encoder_attention_heads

    @model_validator(mode="before")
    @classmethod
    def _whose_backbone(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("backbone_config") is not None:
            return given
        values = dict(given)
        if values.get("use_timm_backbone", True) in (True, None):
            values["backbone_config"] = _timm(values)
        elif values.get("backbone"):
            raise ValueError(
                f"backbone is {values['backbone']!r}, a checkpoint to be fetched: give backbone_config with its values"
            )
        else:
            values["backbone_config"] = {"model_type": "resnet", "out_features": ["stage4"]}
        return values

    @model_validator(mode="after")
    def _start(self) -> Self:
        if "initializer_range" not in self.model_fields_set:
            self.__dict__["initializer_range"] = self.init_std
        return self

    @model_validator(mode="after")
    def _fits(self) -> Self:
        inner = self.backbone_config
        if not isinstance(inner, BackboneConfig | TimmBackboneConfig):
            raise ValueError(f"backbone_config is of {inner.model_type}, a family that gives no feature maps")
        for side in ("encoder", "decoder"):
            heads = getattr(self, f"{side}_attention_heads")
            if self.d_model % heads:
                raise ValueError(f"d_model {self.d_model} is not a multiple of {side}_attention_heads {heads}")
        parts = 4 if self.position_embedding_type == "sine" else 2
        if self.d_model % parts:
            raise ValueError(f"d_model {self.d_model} is not a multiple of {parts}, for positions of rows and columns")
        if not (self.class_cost or self.bbox_cost or self.giou_cost):
            raise ValueError("class_cost, bbox_cost and giou_cost are all 0: nothing says which object is which")
        if self.dilation and not isinstance(inner, TimmBackboneConfig):
            raise ValueError(f"dilation goes with a backbone of timm's, and backbone_config is of {inner.model_type}")
        return self


def _timm(values: Mapping[str, Any]) -> dict[str, Any]:
    """backbone_config of a file that has its parts beside."""
    more = dict(values.get("backbone_kwargs") or {})
    unknown = sorted(more.keys() - _KWARGS)
    if unknown:
        raise ValueError(f"backbone_kwargs has {', '.join(unknown)}; of timm's, {', '.join(sorted(_KWARGS))} are known")
    dilated = 16 if values.get("dilation") else None
    return {
        "model_type": TIMM,
        "backbone": values.get("backbone") or "resnet50",
        "num_channels": more.get("in_chans", more.get("num_channels", values.get("num_channels", 3))),
        "out_indices": list(more.get("out_indices", MAPS)),
        "output_stride": more.get("output_stride", dilated),
    }
