"""What the config.json of a TrOCR decoder means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName
from modelry.nn.encoder_decoder_config import STACKS_PLAN


class TrOCRConfig(ModelConfig):
    """Field names and defaults are the published ones.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = STACKS_PLAN

    without_effect: ClassVar = ("classifier_dropout",)
    model_type: Literal["trocr"] = "trocr"
    vocab_size: int = Field(50265, gt=0, description="V, tokens")
    d_model: int = Field(1024, gt=0, description="D, width of the residual stream")
    decoder_layers: int = Field(12, gt=0)
    decoder_attention_heads: int = Field(16, gt=0, description="H")
    decoder_ffn_dim: int = Field(4096, gt=0, description="F, width inside the MLP")
    decoder_layerdrop: float = Field(0.0, ge=0, le=1, description="probability of skipping a layer in training")
    activation_function: ActivationName = "gelu"
    max_position_embeddings: int = Field(512, gt=0)
    use_learned_position_embeddings: bool = Field(True, description="a table of positions; sines and cosines if not")
    layernorm_embedding: bool = Field(True, description="the sum of token and position is normalised")
    scale_embedding: bool = Field(False, description="tokens' vectors times the square root of d_model")
    cross_attention_hidden_size: int | None = Field(None, gt=0, description="width of what it looks at; D when null")
    dropout: float = Field(0.1, ge=0, lt=1)
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    activation_dropout: float = Field(0.0, ge=0, lt=1)
    init_std: float = Field(0.02, ge=0)
    pad_token_id: int | None = 1
    bos_token_id: int | list[int] | None = 0
    eos_token_id: int | list[int] | None = 2
    decoder_start_token_id: int | None = 2
    is_decoder: bool = False
    tie_word_embeddings: bool = True

    @property
    def hidden_size(self) -> int:
        """D by its standard name."""
        return self.d_model

    @property
    def num_hidden_layers(self) -> int:
        """Layers by their standard name."""
        return self.decoder_layers

    @property
    def num_attention_heads(self) -> int:
        """H by its standard name."""
        return self.decoder_attention_heads

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.d_model % self.decoder_attention_heads:
            raise ValueError(
                f"d_model {self.d_model} is not a multiple of decoder_attention_heads {self.decoder_attention_heads}"
            )
        padding = self.pad_token_id
        if padding is not None and not 0 <= padding < self.vocab_size:
            raise ValueError(f"pad_token_id {padding} is outside a vocabulary of {self.vocab_size} tokens")
        if padding is None and not self.use_learned_position_embeddings:
            raise ValueError("pad_token_id is null: positions that are not learned are counted from it")
        if "initializer_range" not in self.model_fields_set:
            self.__dict__["initializer_range"] = self.init_std
        return self
