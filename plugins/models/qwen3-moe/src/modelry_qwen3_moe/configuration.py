"""What a Qwen3-MoE config.json means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from modelry.nn.decoder_config import (
    ATTENTION_PLAN,
    EXPERTS_PLAN,
    FULL,
    HEAD_NORMS_PLAN,
    MLP_PLAN,
    SLIDING,
    RotaryDecoderConfig,
)


class Qwen3MoeConfig(RotaryDecoderConfig):
    """Field names and defaults are the published ones, as files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {**ATTENTION_PLAN, **HEAD_NORMS_PLAN}

    without_effect: ClassVar = ("max_window_layers",)
    model_type: Literal["qwen3_moe"] = "qwen3_moe"
    vocab_size: PositiveInt = 151936
    hidden_size: PositiveInt = 2048
    intermediate_size: PositiveInt = Field(6144, description="width inside a plain MLP")
    moe_intermediate_size: PositiveInt = Field(768, description="F, width inside an expert")
    num_hidden_layers: PositiveInt = 24
    num_key_value_heads: PositiveInt = 4
    max_position_embeddings: PositiveInt = 32768
    attention_bias: bool = False
    use_sliding_window: bool = False
    sliding_window: PositiveInt | None = Field(4096, description="positions that a query sees, where one is used")
    num_experts: PositiveInt = Field(128, description="X")
    num_experts_per_tok: PositiveInt = Field(8, description="C, experts that a token runs through")
    norm_topk_prob: bool = Field(False, description="whether the shares of a token's experts add up to one")
    decoder_sparse_step: PositiveInt = Field(1, description="every so manieth layer is a mixture")
    mlp_only_layers: list[int] = Field(default_factory=list, description="numbers of layers that are none")
    output_router_logits: bool = False
    router_aux_loss_coef: float = Field(0.001, ge=0, description="how much uneven routing counts in the loss")

    @model_validator(mode="before")
    @classmethod
    def _other_spellings(cls, values: Any) -> Any:
        """Some files call num_experts num_local_experts, and have null where no layer is named."""
        if not isinstance(values, dict):
            return values
        values = dict(values)
        local = values.pop("num_local_experts", None)
        if local is not None:
            values.setdefault("num_experts", local)
        if values.get("mlp_only_layers", ()) is None:
            del values["mlp_only_layers"]
        return values

    @model_validator(mode="after")
    def _enough_experts(self) -> Self:
        if self.num_experts_per_tok > self.num_experts:
            raise ValueError(
                f"num_experts_per_tok {self.num_experts_per_tok} is more than num_experts {self.num_experts}"
            )
        return self

    @property
    def tp_plan(self) -> Mapping[str, str]:
        """As every layer is divided that there is one of."""
        sparse = [self.is_sparse(number) for number in range(self.num_hidden_layers)]
        mixtures, plain = EXPERTS_PLAN if any(sparse) else {}, {} if all(sparse) else MLP_PLAN
        return {**self.base_model_tp_plan, **mixtures, **plain}

    @property
    def layer_types(self) -> list[str]:
        """What each layer sees: all alike."""
        windowed = self.use_sliding_window and self.sliding_window is not None
        return [SLIDING if windowed else FULL] * self.num_hidden_layers

    def is_sparse(self, number: int) -> bool:
        """Whether layer `number`, from 0, is a mixture."""
        return number not in self.mlp_only_layers and (number + 1) % self.decoder_sparse_step == 0
