"""What a Llama config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.rope_parameters import RopeParameters, published_rope


class LlamaConfig(ModelConfig):
    """Field names are the published ones; defaults are those of the first Llama, as old files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["llama"] = "llama"
    vocab_size: int = Field(32000, gt=0, description="V, tokens")
    hidden_size: int = Field(4096, gt=0, description="D, width of the residual stream")
    intermediate_size: int = Field(11008, gt=0, description="F, width inside the MLP")
    num_hidden_layers: int = Field(32, gt=0)
    num_attention_heads: int = Field(32, gt=0, description="H, query heads")
    num_key_value_heads: int = Field(32, gt=0, description="K; K < H is grouped-query attention")
    head_dim: int = Field(128, gt=0, description="E; D/H where the file does not say")
    max_position_embeddings: int = Field(2048, gt=0)
    rms_norm_eps: float = Field(1e-6, gt=0)
    rope_parameters: RopeParameters = RopeParameters()
    attention_bias: bool = False
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    mlp_bias: bool = False
    bos_token_id: int | list[int] | None = 1
    eos_token_id: int | list[int] | None = 2
    hidden_act: Literal["silu"] = "silu"  # another value is refused, not ignored
    pretraining_tp: Literal[1] = 1  # sliced products, as one early converter had them, are refused

    @model_validator(mode="before")
    @classmethod
    def _older_files(cls, values: Any) -> Any:
        """Fill in what files leave out because it follows from other values."""
        if not isinstance(values, dict):
            return values
        values = {"max_position_embeddings": 2048, **published_rope(values)}
        heads, width = values.get("num_attention_heads", 32), values.get("hidden_size", 4096)
        if values.get("num_key_value_heads") is None:
            values["num_key_value_heads"] = heads
        if values.get("pretraining_tp", 1) is None:
            del values["pretraining_tp"]
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
