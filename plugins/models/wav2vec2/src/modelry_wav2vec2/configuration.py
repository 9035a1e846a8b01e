"""What a Wav2Vec2 config.json means. Plain data: it reads and checks, and builds nothing."""

from math import prod
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName


class Wav2Vec2Config(ModelConfig):
    """Field names are the published ones; defaults are those of wav2vec2-base, as its files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    without_effect: ClassVar = ("feat_extract_dropout", "hidden_dropout_prob")
    model_type: Literal["wav2vec2"] = "wav2vec2"
    vocab_size: int = Field(32, gt=0, description="V, tokens of the CTC head")
    hidden_size: int = Field(768, gt=0, description="D, width of the residual stream")
    num_hidden_layers: int = Field(12, gt=0)
    num_attention_heads: int = Field(12, gt=0, description="H")
    intermediate_size: int = Field(3072, gt=0, description="F, width inside the feed-forward block")
    hidden_act: ActivationName = "gelu"
    layer_norm_eps: float = Field(1e-5, gt=0)
    do_stable_layer_norm: bool = Field(False, description="normalise before attention and feed-forward, not after")
    pad_token_id: int | None = 0
    bos_token_id: int | list[int] | None = 1
    eos_token_id: int | list[int] | None = 2

    # From samples to frames
    feat_extract_norm: Literal["group", "layer"] = Field("group", description="group: in the first convolution only")
    feat_extract_activation: ActivationName = "gelu"
    conv_dim: tuple[int, ...] = (512, 512, 512, 512, 512, 512, 512)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_bias: bool = False
    num_conv_pos_embeddings: int = Field(128, gt=0, description="kernel of the convolution that says where one is")
    num_conv_pos_embedding_groups: int = Field(16, gt=0)

    # Training
    hidden_dropout: float = Field(0.1, ge=0, lt=1)
    activation_dropout: float = Field(0.1, ge=0, lt=1)
    attention_dropout: float = Field(0.1, ge=0, lt=1)
    feat_proj_dropout: float = Field(0.0, ge=0, lt=1)
    feat_quantizer_dropout: float = Field(0.0, ge=0, lt=1)
    final_dropout: float = Field(0.1, ge=0, lt=1)
    layerdrop: float = Field(0.1, ge=0, le=1, description="probability of leaving a layer out in training")
    apply_spec_augment: bool = True
    mask_time_prob: float = Field(0.05, ge=0, le=1)
    mask_time_length: int = Field(10, gt=0)
    mask_time_min_masks: int = Field(2, ge=0)
    mask_feature_prob: float = Field(0.0, ge=0, le=1)
    mask_feature_length: int = Field(10, gt=0)
    mask_feature_min_masks: int = Field(0, ge=0)

    # Heads
    num_codevectors_per_group: int = Field(320, gt=0)
    num_codevector_groups: int = Field(2, gt=0)
    contrastive_logits_temperature: float = Field(0.1, gt=0)
    num_negatives: int = Field(100, gt=0, description="of whoever samples them for pretraining")
    codevector_dim: int = Field(256, gt=0)
    proj_codevector_dim: int = Field(256, gt=0)
    diversity_loss_weight: float = 0.1
    ctc_loss_reduction: Literal["sum", "mean", "none"] = "sum"
    ctc_zero_infinity: bool = False
    use_weighted_layer_sum: bool = Field(False, description="classifiers read a learned mean of all layers")
    classifier_proj_size: int = Field(256, gt=0)
    tdnn_dim: tuple[int, ...] = (512, 512, 512, 512, 1500)
    tdnn_kernel: tuple[int, ...] = (5, 3, 3, 1, 1)
    tdnn_dilation: tuple[int, ...] = (1, 2, 3, 1, 1)
    xvector_output_dim: int = Field(512, gt=0)

    # Adapters
    add_adapter: bool = Field(False, description="strided convolutions behind the encoder")
    adapter_kernel_size: int = Field(3, gt=0)
    adapter_stride: int = Field(2, gt=0)
    num_adapter_layers: int = Field(3, gt=0)
    output_hidden_size: int = Field(768, gt=0, description="hidden_size where the file does not say")
    adapter_attn_dim: int | None = Field(None, gt=0, description="width inside the adapter of each stable layer")

    @model_validator(mode="before")
    @classmethod
    def _what_follows(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        if not values.get("output_hidden_size"):
            values = {**values, "output_hidden_size": values.get("hidden_size", 768)}
        return values

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        if self.hidden_size % self.num_conv_pos_embedding_groups:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_conv_pos_embedding_groups "
                f"{self.num_conv_pos_embedding_groups}"
            )
        if self.codevector_dim % self.num_codevector_groups:
            raise ValueError(
                f"codevector_dim {self.codevector_dim} is not a multiple of num_codevector_groups "
                f"{self.num_codevector_groups}"
            )
        for names in (("conv_dim", "conv_stride", "conv_kernel"), ("tdnn_dim", "tdnn_kernel", "tdnn_dilation")):
            found = {name: getattr(self, name) for name in names}
            if len({len(value) for value in found.values()}) > 1 or not found[names[0]]:
                raise ValueError(f"{', '.join(names)} need one number for each layer, and are {found}")
            if any(number < 1 for value in found.values() for number in value):
                raise ValueError(f"{', '.join(names)} need numbers above 0, and are {found}")
        if self.add_adapter and self.adapter_attn_dim is not None and not self.do_stable_layer_norm:
            raise ValueError("adapter_attn_dim needs do_stable_layer_norm: other layers have no adapter")
        return self

    @property
    def num_feat_extract_layers(self) -> int:
        """Convolutions from samples to frames."""
        return len(self.conv_dim)

    @property
    def inputs_to_logits_ratio(self) -> int:
        """Samples from one frame to the next."""
        return prod(self.conv_stride)
