"""What a Mamba config.json means. Plain data: it reads and checks, and builds nothing."""

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName


class MambaConfig(ModelConfig):
    """Field names and defaults are the published ones, as files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    without_effect: ClassVar = (
        "d_inner",
        "d_model",
        "fused_add_norm",
        "n_layer",
        "pad_vocab_size_multiple",
        "rms_norm",
        "ssm_cfg",
    )
    model_type: Literal["mamba"] = "mamba"
    vocab_size: PositiveInt = Field(50280, description="V, tokens")
    hidden_size: PositiveInt = Field(768, description="D, width of the residual stream")
    state_size: PositiveInt = Field(16, description="N, numbers of state for each input")
    num_hidden_layers: PositiveInt = 32
    layer_norm_epsilon: PositiveFloat = 1e-5
    pad_token_id: int | None = 0
    bos_token_id: int | list[int] | None = 0
    eos_token_id: int | list[int] | None = 0
    expand: PositiveInt = Field(2, description="I / D where intermediate_size is not named")
    intermediate_size: PositiveInt | None = Field(None, description="I, width of what the state reads")
    conv_kernel: PositiveInt = Field(4, description="K, positions that the convolution sees")
    use_bias: bool = Field(False, description="of the projections in and out")
    use_conv_bias: bool = True
    hidden_act: ActivationName = "silu"
    initializer_range: float = Field(0.1, ge=0)
    residual_in_fp32: bool = True
    time_step_rank: PositiveInt | Literal["auto"] = Field("auto", description="R; D / 16 with auto")
    time_step_scale: PositiveFloat = Field(1.0, description="this and the following: of new weights only")
    time_step_min: PositiveFloat = 0.001
    time_step_max: PositiveFloat = 0.1
    time_step_init_scheme: Literal["random", "constant"] = "random"
    time_step_floor: PositiveFloat = 1e-4
    rescale_prenorm_residual: bool = False
    tie_word_embeddings: bool = True
    use_mambapy: bool = Field(False, description="another way to the same numbers, elsewhere; nothing reads it")
    use_associative_scan: bool = Field(True, description="the same")

    @model_validator(mode="after")
    def _steps_have_a_range(self) -> Self:
        if self.time_step_min > self.time_step_max:
            raise ValueError(f"time_step_min {self.time_step_min} is more than time_step_max {self.time_step_max}")
        return self

    @property
    def inner(self) -> int:
        """I."""
        return self.expand * self.hidden_size if self.intermediate_size is None else self.intermediate_size

    @property
    def rank(self) -> int:
        """R."""
        return math.ceil(self.hidden_size / 16) if self.time_step_rank == "auto" else self.time_step_rank

    @property
    def layer_types(self) -> list[str]:
        """What each layer remembers: all alike, a state."""
        return ["mamba"] * self.num_hidden_layers
