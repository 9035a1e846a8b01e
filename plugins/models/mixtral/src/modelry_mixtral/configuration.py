"""What a Mixtral config.json means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from modelry.nn.decoder_config import ATTENTION_PLAN, EXPERTS_PLAN, FULL, SLIDING, RotaryDecoderConfig


class MixtralConfig(RotaryDecoderConfig):
    """Field names are the published ones; defaults are those of Mixtral 8x7B, as files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    default_theta = 1e6
    base_model_tp_plan: ClassVar[Mapping[str, str]] = {**ATTENTION_PLAN, **EXPERTS_PLAN}

    model_type: Literal["mixtral"] = "mixtral"
    intermediate_size: PositiveInt = Field(14336, description="F, width inside an expert")
    num_key_value_heads: PositiveInt = 8
    num_local_experts: PositiveInt = Field(8, description="X")
    num_experts_per_tok: PositiveInt = Field(2, description="C, experts that a token runs through")
    max_position_embeddings: PositiveInt = 131072
    rms_norm_eps: PositiveFloat = 1e-5
    sliding_window: PositiveInt | None = Field(None, description="positions that a query sees; null for all")
    output_router_logits: bool = False
    router_aux_loss_coef: float = Field(0.001, ge=0, description="how much uneven routing counts in the loss")
    router_jitter_noise: float = Field(0.0, ge=0, lt=1, description="inputs of a router are shaken so, in training")
    bos_token_id: int | list[int] | None = 1
    eos_token_id: int | list[int] | None = 2

    @model_validator(mode="after")
    def _enough_experts(self) -> Self:
        if self.num_experts_per_tok > self.num_local_experts:
            raise ValueError(
                f"num_experts_per_tok {self.num_experts_per_tok} is more than "
                f"num_local_experts {self.num_local_experts}"
            )
        return self

    @property
    def layer_types(self) -> list[str]:
        """What each layer sees: all alike."""
        return [FULL if self.sliding_window is None else SLIDING] * self.num_hidden_layers
