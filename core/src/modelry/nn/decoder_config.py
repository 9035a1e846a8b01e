"""What configurations of decoders with rotary positions have in common. Plain data, no torch; see decoder.py."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.rope_parameters import RopeParameters, published_rope

FULL, SLIDING = "full_attention", "sliding_attention"


ATTENTION_PLAN: Mapping[str, str] = {
    "embed_tokens": "embedding_rowwise",
    "layers.*.self_attn.q_proj": "colwise",
    "layers.*.self_attn.k_proj": "colwise",
    "layers.*.self_attn.v_proj": "colwise",
    "layers.*.self_attn.o_proj": "rowwise",
}
MLP_PLAN: Mapping[str, str] = {
    "layers.*.mlp.gate_proj": "colwise",
    "layers.*.mlp.up_proj": "colwise",
    "layers.*.mlp.down_proj": "rowwise",
}
EXPERTS_PLAN: Mapping[str, str] = {
    "layers.*.mlp.experts": "moe_tp_experts",
    "layers.*.mlp.experts.gate_proj": "colwise",
    "layers.*.mlp.experts.up_proj": "colwise",
    "layers.*.mlp.experts.down_proj": "rowwise",
}
HEAD_NORMS_PLAN: Mapping[str, str] = {
    "layers.*.self_attn.q_norm": "replicated_with_grad_allreduce",
    "layers.*.self_attn.k_norm": "replicated_with_grad_allreduce",
}
"""Of each head's queries and keys, of which a process has some."""


class RotaryDecoderConfig(ModelConfig):
    """Fields are the published ones. A family gives them its own defaults, as old files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    default_theta: ClassVar[float] = 10000.0
    """rope_theta where the file names none."""

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {**ATTENTION_PLAN, **MLP_PLAN}

    vocab_size: PositiveInt = Field(32000, description="V, tokens")
    hidden_size: PositiveInt = Field(4096, description="D, width of the residual stream")
    intermediate_size: PositiveInt = Field(11008, description="F, width inside the MLP")
    num_hidden_layers: PositiveInt = 32
    num_attention_heads: PositiveInt = Field(32, description="H, query heads")
    num_key_value_heads: PositiveInt = Field(32, description="K; K < H is grouped-query attention")
    head_dim: PositiveInt = Field(128, description="E; D/H where neither the file nor the family says")
    max_position_embeddings: PositiveInt = 2048
    rms_norm_eps: PositiveFloat = 1e-6
    rope_parameters: RopeParameters = RopeParameters()
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    hidden_act: Literal["silu"] = "silu"  # another value is refused, not ignored

    @model_validator(mode="before")
    @classmethod
    def _older_files(cls, values: Any) -> Any:
        """Fill in what files leave out because it follows from other values."""
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields
        positions = {"max_position_embeddings": fields["max_position_embeddings"].default}
        values = {**positions, **published_rope(values, theta=cls.default_theta)}
        heads = values.get("num_attention_heads", fields["num_attention_heads"].default)
        width = values.get("hidden_size", fields["hidden_size"].default)
        if values.get("num_key_value_heads", heads) is None:
            values["num_key_value_heads"] = heads
        if values.get("head_dim") is None and isinstance(heads, int) and isinstance(width, int) and heads > 0:
            if width % heads:
                raise ValueError(f"hidden_size {width} is not a multiple of num_attention_heads {heads}: set head_dim")
            values["head_dim"] = width // heads
        return values

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError(
                f"num_attention_heads {self.num_attention_heads} is not a multiple "
                f"of num_key_value_heads {self.num_key_value_heads}"
            )
        if self.pad_token_id is not None and not -1 <= self.pad_token_id < self.vocab_size:
            raise ValueError(f"pad_token_id {self.pad_token_id} is outside a vocabulary of {self.vocab_size} tokens")
        self.rope_parameters.rotated_width(self.head_dim)
        return self


class WindowedDecoderConfig(RotaryDecoderConfig):
    """Some layers see a window of the last positions: those that `layer_types` names, by default the later ones."""

    use_sliding_window: bool = False
    sliding_window: PositiveInt | None = Field(4096, description="positions that a query sees, itself included")
    max_window_layers: int = Field(28, ge=0, description="the first so many layers see everything")
    layer_types: list[Literal["full_attention", "sliding_attention"]] | None = None

    @model_validator(mode="after")
    def _layers_have_types(self) -> Self:
        windowed = self.use_sliding_window and self.sliding_window is not None
        if self.layer_types is None:
            first = self.max_window_layers if windowed else self.num_hidden_layers
            self.__dict__["layer_types"] = [SLIDING if n >= first else FULL for n in range(self.num_hidden_layers)]
            return self
        if len(self.layer_types) != self.num_hidden_layers:
            raise ValueError(
                f"layer_types names {len(self.layer_types)} layers and num_hidden_layers is {self.num_hidden_layers}"
            )
        if SLIDING in self.layer_types and not windowed:
            raise ValueError(
                f"layer_types has {SLIDING!r} layers; use_sliding_window is {self.use_sliding_window} "
                f"and sliding_window {self.sliding_window}"
            )
        return self
