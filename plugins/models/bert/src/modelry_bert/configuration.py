"""What a BERT config.json means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from modelry.nn.encoder_config import EncoderConfig

CROSS_ATTENTION_PLAN: Mapping[str, str] = {
    "encoder.layer.*.crossattention.self.query": "colwise",
    "encoder.layer.*.crossattention.self.key": "colwise",
    "encoder.layer.*.crossattention.self.value": "colwise",
    "encoder.layer.*.crossattention.output.dense": "rowwise",
}


class BertConfig(EncoderConfig):
    """Field names are the published ones; defaults are those of BERT base, as old files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {
        "embeddings.word_embeddings": "embedding_rowwise",
        "encoder.layer.*.attention.self.query": "colwise",
        "encoder.layer.*.attention.self.key": "colwise",
        "encoder.layer.*.attention.self.value": "colwise",
        "encoder.layer.*.attention.output.dense": "rowwise",
        "encoder.layer.*.intermediate.dense": "colwise",
        "encoder.layer.*.output.dense": "rowwise",
    }

    without_effect: ClassVar = (
        "directionality",
        "language",
        "name",
        "pooler_fc_size",
        "pooler_num_attention_heads",
        "pooler_num_fc_layers",
        "pooler_size_per_head",
        "pooler_type",
    )
    model_type: Literal["bert"] = "bert"
    pad_token_id: int | None = 0
    tie_word_embeddings: bool = True
    is_decoder: bool = Field(False, description="a position sees only those before it, and there is a cache")
    add_cross_attention: bool = Field(False, description="each layer of the decoder looks at an encoder's output")
    position_embedding_type: Literal["absolute"] = "absolute"  # relative positions are refused, not ignored

    @property
    def tp_plan(self) -> Mapping[str, str]:
        """`base_model_tp_plan`, and the attention to an encoder where there is one."""
        return {**self.base_model_tp_plan, **(CROSS_ATTENTION_PLAN if self.add_cross_attention else {})}

    @property
    def head_dim(self) -> int:
        """E, width of one head."""
        return self.hidden_size // self.num_attention_heads

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_attention_heads {self.num_attention_heads}"
            )
        if self.pad_token_id is not None and not -1 <= self.pad_token_id < self.vocab_size:
            raise ValueError(f"pad_token_id {self.pad_token_id} is outside a vocabulary of {self.vocab_size} tokens")
        if self.add_cross_attention and not self.is_decoder:
            raise ValueError("add_cross_attention is true and is_decoder false: only a decoder looks at an encoder")
        return self
