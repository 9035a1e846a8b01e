"""What a GPT-2 config.json means. Plain data: it reads and checks, and builds nothing."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName

CROSS_ATTENTION_PLAN: Mapping[str, str] = {
    "h.*.crossattention.q_attn": "colwise",
    "h.*.crossattention.c_attn": "packed_colwise",
    "h.*.crossattention.c_proj": "rowwise",
}
STANDARD = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
}
"""Standard names to the published ones."""


class GPT2Config(ModelConfig):
    """Field names and defaults are the published ones, as files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    base_model_tp_plan: ClassVar[Mapping[str, str]] = {
        "wte": "embedding_rowwise",
        "h.*.attn.c_attn": "qkv_colwise",
        "h.*.attn.c_proj": "rowwise",
        "h.*.mlp.c_fc": "colwise",
        "h.*.mlp.c_proj": "rowwise",
    }

    model_type: Literal["gpt2"] = "gpt2"
    vocab_size: PositiveInt = Field(50257, description="V, tokens")
    n_positions: PositiveInt = Field(1024, description="rows of the table of learned positions")
    n_embd: PositiveInt = Field(768, description="D, width of the residual stream")
    n_layer: PositiveInt = 12
    n_head: PositiveInt = Field(12, description="H")
    n_inner: PositiveInt | None = Field(None, description="F, width inside the MLP; 4 D where null")
    activation_function: ActivationName = "gelu_new"
    resid_pdrop: float = Field(0.1, ge=0, lt=1)
    embd_pdrop: float = Field(0.1, ge=0, lt=1)
    attn_pdrop: float = Field(0.1, ge=0, lt=1)
    layer_norm_epsilon: PositiveFloat = 1e-5
    scale_attn_weights: bool = Field(True, description="divide scores by the square root of E")
    scale_attn_by_inverse_layer_idx: bool = Field(False, description="and by the number of the layer, from 1")
    reorder_and_upcast_attn: bool = Field(False, description="scores and softmax in float32 in every dtype")
    add_cross_attention: bool = Field(False, description="each layer looks at an encoder's output too")
    bos_token_id: int | list[int] | None = 50256
    eos_token_id: int | list[int] | None = 50256
    tie_word_embeddings: bool = True
    classifier_dropout: float | None = Field(None, ge=0, lt=1)
    summary_type: Literal["last", "first", "mean", "cls_index"] = Field("cls_index", description="of double heads")
    summary_use_proj: bool = True
    summary_proj_to_labels: bool = True
    summary_activation: ActivationName | None = None
    summary_first_dropout: float = Field(0.1, ge=0, lt=1)
    summary_last_dropout: float = Field(0.0, ge=0, lt=1)
    n_ctx: int | None = Field(None, description="n_positions, once more, in the first files")

    @model_validator(mode="before")
    @classmethod
    def _published_names(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {STANDARD.get(key, key): value for key, value in values.items()}

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd {self.n_embd} is not a multiple of n_head {self.n_head}")
        return self

    @property
    def tp_plan(self) -> Mapping[str, str]:
        """`base_model_tp_plan`, and the attention to an encoder where there is one."""
        return {**self.base_model_tp_plan, **(CROSS_ATTENTION_PLAN if self.add_cross_attention else {})}

    @property
    def hidden_size(self) -> int:
        """D."""
        return self.n_embd

    @property
    def num_hidden_layers(self) -> int:
        """Layers."""
        return self.n_layer

    @property
    def num_attention_heads(self) -> int:
        """H."""
        return self.n_head

    @property
    def max_position_embeddings(self) -> int:
        """Positions that the model has."""
        return self.n_positions
