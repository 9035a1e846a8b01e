"""What the toy language model's config.json means."""

from typing import Literal, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig


class ToyConfig(ModelConfig):
    """A decoder with learned positions."""

    model_type: Literal["modelry-toy"] = "modelry-toy"
    vocab_size: int = Field(264, gt=0, description="V, tokens")
    hidden_size: int = Field(32, gt=0, description="D, width")
    num_hidden_layers: int = Field(2, gt=0)
    num_attention_heads: int = Field(4, gt=0, description="H, heads")
    max_position_embeddings: int = Field(160, gt=0)

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        return self
