"""What a T5 config.json means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from modelry.configuration import ModelConfig


class T5Config(ModelConfig):
    """Field names and defaults are the published ones, for T5, its version 1.1 and Flan.

    Raises:
        ConfigError: a value is impossible.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {
        "shared": "embedding_rowwise",
        "*.embed_tokens": "embedding_rowwise",
        "*.block.*.layer.*.SelfAttention.q": "colwise",
        "*.block.*.layer.*.SelfAttention.k": "colwise",
        "*.block.*.layer.*.SelfAttention.v": "colwise",
        "*.block.*.layer.*.SelfAttention.o": "rowwise",
        "*.block.*.layer.*.SelfAttention.relative_attention_bias": "embedding_colwise",
        "*.block.*.layer.*.EncDecAttention.q": "colwise",
        "*.block.*.layer.*.EncDecAttention.k": "colwise",
        "*.block.*.layer.*.EncDecAttention.v": "colwise",
        "*.block.*.layer.*.EncDecAttention.o": "rowwise",
        "*.block.*.layer.*.DenseReluDense.wo": "rowwise",
    }

    model_type: Literal["t5"] = "t5"
    vocab_size: int = Field(32128, gt=0, description="V, tokens")
    d_model: int = Field(512, gt=0, description="D, width of the residual stream")
    d_kv: int = Field(64, gt=0, description="E, head width; D is not H E in every size")
    d_ff: int = Field(2048, gt=0, description="F, width inside the MLP")
    num_layers: int = Field(6, gt=0, description="of the encoder")
    num_decoder_layers: int = Field(6, gt=0, description="as many as the encoder has, where the file does not say")
    num_heads: int = Field(8, gt=0, description="H")
    relative_attention_num_buckets: int = Field(32, ge=4, description="N")
    relative_attention_max_distance: int = Field(128, gt=0)
    dropout_rate: float = Field(0.1, ge=0, lt=1)
    classifier_dropout: float = Field(0.0, ge=0, lt=1)
    layer_norm_epsilon: float = Field(1e-6, gt=0)
    initializer_factor: float = Field(1.0, ge=0)
    feed_forward_proj: str = Field("relu", description="name of an activation, or gated-name")
    dense_act_fn: str = Field("relu", description="follows from feed_forward_proj")
    is_gated_act: bool = Field(False, description="follows from feed_forward_proj")
    scale_decoder_outputs: bool = Field(
        True, description="states over the root of d_model before lm_head: as tie_word_embeddings where not said"
    )
    tie_word_embeddings: bool = Field(True, description="of shared and lm_head; both sides read shared in any case")
    is_encoder_decoder: bool = True
    is_decoder: bool = False
    pad_token_id: int | None = 0
    eos_token_id: int | list[int] | None = 1
    decoder_start_token_id: int | None = None
    n_positions: int | None = Field(None, description="length of the texts it was trained on; positions are relative")
    output_past: bool | None = Field(None, description="of old files, of no effect")

    @property
    def tp_plan(self) -> Mapping[str, str]:
        """`base_model_tp_plan`, and the layers of an MLP with a gate or without."""
        wide = ("wi_0", "wi_1") if self.is_gated_act else ("wi",)
        return {**self.base_model_tp_plan, **{f"*.block.*.layer.*.DenseReluDense.{name}": "colwise" for name in wide}}

    @property
    def hidden_size(self) -> int:
        """D by its standard name."""
        return self.d_model

    @property
    def num_hidden_layers(self) -> int:
        """Layers of the encoder."""
        return self.num_layers

    @property
    def num_attention_heads(self) -> int:
        """H by its standard name."""
        return self.num_heads

    @property
    def head_dim(self) -> int:
        """E by its standard name."""
        return self.d_kv

    @model_validator(mode="before")
    @classmethod
    def _what_follows(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = dict(values)
        if values.get("num_decoder_layers") is None:
            values["num_decoder_layers"] = values.get("num_layers", 6)
        if values.get("scale_decoder_outputs") is None:
            values["scale_decoder_outputs"] = values.get("tie_word_embeddings") is not False
        gate, _, name = str(values.get("feed_forward_proj", "relu")).rpartition("-")
        if gate not in ("", "gated") or not name:
            raise ValueError(
                f"feed_forward_proj is {values['feed_forward_proj']!r}: the name of an activation function is needed, "
                "or gated- and the name"
            )
        values["is_gated_act"] = gate == "gated"
        values["dense_act_fn"] = "gelu_new" if values["is_gated_act"] and name == "gelu" else name
        return values

    @model_validator(mode="after")
    def _distances_fit(self) -> Self:
        near = self.relative_attention_num_buckets // 2  # of the decoder; the encoder's are half of it
        if self.relative_attention_max_distance <= near:
            raise ValueError(
                f"relative_attention_max_distance {self.relative_attention_max_distance} is not above half of "
                f"relative_attention_num_buckets {self.relative_attention_num_buckets}"
            )
        if self.pad_token_id is not None and not 0 <= self.pad_token_id < self.vocab_size:
            raise ValueError(f"pad_token_id {self.pad_token_id} is outside a vocabulary of {self.vocab_size} tokens")
        return self
