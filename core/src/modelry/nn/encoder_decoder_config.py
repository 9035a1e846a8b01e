"""Values that config.json has under the same names in the BART line: BART, mBART and what was built after them.

Plain data, without torch. A family derives its configuration, and gives the defaults that are its own.
"""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig

STACKS_PLAN: Mapping[str, str] = {
    "*.embed_tokens": "embedding_rowwise",
    "*.layers.*.self_attn.q_proj": "colwise",
    "*.layers.*.self_attn.k_proj": "colwise",
    "*.layers.*.self_attn.v_proj": "colwise",
    "*.layers.*.self_attn.out_proj": "rowwise",
    "*.layers.*.encoder_attn.q_proj": "colwise",
    "*.layers.*.encoder_attn.k_proj": "colwise",
    "*.layers.*.encoder_attn.v_proj": "colwise",
    "*.layers.*.encoder_attn.out_proj": "rowwise",
    "*.layers.*.fc1": "colwise",
    "*.layers.*.fc2": "rowwise",
}


class StacksConfig(ModelConfig):
    """Sizes and rates of the layers of an encoder and of a decoder, whatever the encoder reads.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = STACKS_PLAN

    d_model: int = Field(1024, gt=0, description="D, width of the residual stream")
    encoder_layers: int = Field(12, gt=0)
    encoder_attention_heads: int = Field(16, gt=0)
    encoder_ffn_dim: int = Field(4096, gt=0, description="F, width inside the encoder's MLP")
    encoder_layerdrop: float = Field(0.0, ge=0, le=1, description="probability of skipping a layer in training")
    decoder_layers: int = Field(12, gt=0)
    decoder_attention_heads: int = Field(16, gt=0)
    decoder_ffn_dim: int = Field(4096, gt=0)
    decoder_layerdrop: float = Field(0.0, ge=0, le=1)
    activation_function: str = "gelu"
    dropout: float = Field(0.1, ge=0, lt=1)
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    activation_dropout: float = Field(0.0, ge=0, lt=1)
    init_std: float = Field(0.02, ge=0)
    decoder_start_token_id: int | None = None
    is_encoder_decoder: bool = True
    is_decoder: bool = False
    tie_word_embeddings: bool = True

    @property
    def hidden_size(self) -> int:
        """D by its standard name."""
        return self.d_model

    @property
    def num_hidden_layers(self) -> int:
        """Layers of the encoder; of the decoder, where it stands alone."""
        return self.encoder_layers if self.is_encoder_decoder else self.decoder_layers

    @property
    def num_decoder_layers(self) -> int:
        """Layers that a cache has to remember."""
        return self.decoder_layers

    @property
    def num_attention_heads(self) -> int:
        """H of the encoder; of the decoder, where it stands alone."""
        return self.encoder_attention_heads if self.is_encoder_decoder else self.decoder_attention_heads

    @model_validator(mode="after")
    def _initial_range(self) -> Self:
        if "initializer_range" not in self.model_fields_set:
            self.__dict__["initializer_range"] = self.init_std
        return self

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        for side in ("encoder", "decoder"):
            heads: int = getattr(self, f"{side}_attention_heads")
            if self.d_model % heads:
                raise ValueError(f"d_model {self.d_model} is not a multiple of {side}_attention_heads {heads}")
        return self


class EncoderDecoderConfig(StacksConfig):
    """An encoder and a decoder of texts, with learned positions.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {"shared": "embedding_rowwise", **STACKS_PLAN}

    vocab_size: int = Field(50265, gt=0, description="V, tokens")
    max_position_embeddings: int = Field(1024, gt=0, description="of the input and of the answer")
    classifier_dropout: float = Field(0.0, ge=0, lt=1)
    scale_embedding: bool = Field(False, description="embeddings times the square root of d_model")
    pad_token_id: int | None = 1
    bos_token_id: int | list[int] | None = 0
    eos_token_id: int | list[int] | None = 2
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | list[int] | None = None

    @model_validator(mode="after")
    def _padding_is_a_token(self) -> Self:
        if self.pad_token_id is not None and not 0 <= self.pad_token_id < self.vocab_size:
            raise ValueError(f"pad_token_id {self.pad_token_id} is outside a vocabulary of {self.vocab_size} tokens")
        return self
