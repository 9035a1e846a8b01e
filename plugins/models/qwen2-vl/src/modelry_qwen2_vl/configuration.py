"""What a Qwen2-VL config.json means: the encoder of pictures, the language model, and the tokens that join them."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName
from modelry.nn.decoder_config import WindowedDecoderConfig
from modelry.nn.rope_parameters import RopeParameters

SECTIONS = [16, 24, 24]
"""mrope_section where a file does not say it."""


class MultimodalRope(RopeParameters):
    """Rotary positions along three axes: time, height and width."""

    mrope_section: list[int] | None = Field(None, description="pairs of a head that each axis turns, in their order")

    @model_validator(mode="before")
    @classmethod
    def _older_name(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("rope_type") == "mrope":
            return {**values, "rope_type": "default"}
        return values

    @property
    def sections(self) -> list[int]:
        """Pairs that time, height and width turn, and again from the fourth on."""
        return SECTIONS if self.mrope_section is None else self.mrope_section


class Qwen2VLTextConfig(WindowedDecoderConfig):
    """The language model. Defaults are those of the largest published one, as files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    default_theta: ClassVar[float] = 1000000.0

    model_type: Literal["qwen2_vl_text"] = "qwen2_vl_text"
    vocab_size: PositiveInt = 152064
    hidden_size: PositiveInt = 8192
    intermediate_size: PositiveInt = 29568
    num_hidden_layers: PositiveInt = 80
    num_attention_heads: PositiveInt = 64
    num_key_value_heads: PositiveInt = 8
    max_position_embeddings: PositiveInt = 32768
    max_window_layers: int = Field(80, ge=0)
    rms_norm_eps: PositiveFloat = 1e-5
    rope_parameters: MultimodalRope = MultimodalRope(rope_theta=1000000.0)
    bos_token_id: int | list[int] | None = 151643
    eos_token_id: int | list[int] | None = 151645

    @model_validator(mode="after")
    def _sections_fit(self) -> Self:
        if self.head_dim * self.num_attention_heads != self.hidden_size:
            raise ValueError(
                f"head_dim {self.head_dim} times num_attention_heads {self.num_attention_heads} is not hidden_size "
                f"{self.hidden_size}"
            )
        sections, pairs = self.rope_parameters.sections, self.rope_parameters.rotated_width(self.head_dim) // 2
        if min(sections, default=-1) < 0 or sum(sections) != pairs:
            raise ValueError(
                f"rope_parameters: mrope_section {sections} has to add up to {pairs}, the pairs of a head that turn"
            )
        return self


class AxialRope(BaseModel):
    """Rotary positions of patches: half of a head by the row, half by the column."""

    rope_type: Literal["axial"] = "axial"
    rope_theta: PositiveFloat = 10000.0


class Qwen2VLVisionConfig(ModelConfig):
    """The encoder of pictures. Defaults are the published ones.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {
        "blocks.*.attn.qkv": "qkv_colwise",
        "blocks.*.attn.proj": "rowwise",
        "blocks.*.mlp.fc1": "colwise",
        "blocks.*.mlp.fc2": "rowwise",
    }

    model_type: Literal["qwen2_vl_vision"] = "qwen2_vl_vision"
    depth: PositiveInt = Field(32, description="layers")
    embed_dim: PositiveInt = Field(1280, description="width of the encoder's residual stream")
    hidden_size: PositiveInt = Field(3584, description="width of what it gives: that of the language model")
    hidden_act: ActivationName = "quick_gelu"
    mlp_ratio: PositiveInt = Field(4, description="width inside an MLP, in widths of the stream")
    num_heads: PositiveInt = 16
    in_channels: PositiveInt = 3
    patch_size: PositiveInt = 14
    spatial_merge_size: PositiveInt = Field(2, description="so many patches a side become one token")
    temporal_patch_size: PositiveInt = Field(2, description="frames that one patch spans")
    rope_parameters: AxialRope = AxialRope()

    @model_validator(mode="before")
    @classmethod
    def _older_files(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = {key: value for key, value in values.items() if (key, value) != ("model_type", "qwen2_vl")}
        for older, name in _OLDER_NAMES.items():
            found = values.pop(older, None)
            if found is not None and values.setdefault(name, found) != found:
                raise ValueError(f"{older} is {found} and {name} {values[name]}: they are two names of one value")
        theta = values.pop("rope_theta", None)
        if values.get("rope_parameters") is None:
            values["rope_parameters"] = {} if theta is None else {"rope_theta": theta}
        return values

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.embed_dim % (4 * self.num_heads):
            raise ValueError(
                f"embed_dim {self.embed_dim} is not a multiple of 4 times num_heads {self.num_heads}: a head turns "
                "pairs by rows and by columns"
            )
        return self


_OLDER_NAMES = {
    "in_chans": "in_channels",
    "spatial_patch_size": "patch_size",
    "num_attention_heads": "num_heads",
    "num_hidden_layers": "depth",
}


class Qwen2VLConfig(ModelConfig):
    """The whole model. Older files have the language model's values beside the others instead of in text_config.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["qwen2_vl"] = "qwen2_vl"
    text_config: Qwen2VLTextConfig = Field(default_factory=Qwen2VLTextConfig)
    vision_config: Qwen2VLVisionConfig = Field(default_factory=Qwen2VLVisionConfig)
    image_token_id: int = Field(151655, ge=0, description="the token that each part of an image stands at")
    video_token_id: int = Field(151656, ge=0, description="the same of a video")
    vision_start_token_id: int = Field(151652, ge=0, description="stands before a picture; unread here")
    vision_end_token_id: int = Field(151653, ge=0, description="stands behind a picture; unread here")
    vision_token_id: int | None = Field(None, ge=0, description="in older files; unread here")

    @model_validator(mode="before")
    @classmethod
    def _flat_files(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = dict(values)
        if values.get("vision_config") is None:
            values.pop("vision_config", None)
        if values.get("text_config") is None:
            own = cls.model_fields
            found = {key: values[key] for key in _LANGUAGE_KEYS if key in values}
            values = {key: value for key, value in values.items() if key in own or key not in found}
            values["text_config"] = found
        return values

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.vision_config.hidden_size != self.text_config.hidden_size:
            raise ValueError(
                f"vision_config.hidden_size {self.vision_config.hidden_size} is not text_config.hidden_size "
                f"{self.text_config.hidden_size}: pictures take the places of tokens"
            )
        if self.image_token_id == self.video_token_id:
            raise ValueError(f"image_token_id and video_token_id are both {self.image_token_id}")
        tied = self.tie_word_embeddings or self.text_config.tie_word_embeddings
        self.__dict__["tie_word_embeddings"] = self.text_config.__dict__["tie_word_embeddings"] = tied
        return self


_LANGUAGE_KEYS = (
    *(key for key in Qwen2VLTextConfig.model_fields if key not in ModelConfig.model_fields),
    *("bos_token_id", "eos_token_id", "pad_token_id", "initializer_range", "use_cache"),
    *("rope_scaling", "rope_theta", "partial_rotary_factor"),
)
"""Of a flat file, those that are the language model's; some are the whole model's too."""
