"""What configurations of BERT and of the encoders after it have alike. Plain data, no torch."""

from pydantic import Field

from modelry.configuration import ModelConfig
from modelry.nn.activation_names import ActivationName


class EncoderConfig(ModelConfig):
    """Field names are the published ones; defaults are those of BERT base, as old files leave them out."""

    vocab_size: int = Field(30522, gt=0, description="V, tokens")
    hidden_size: int = Field(768, gt=0, description="D, width of the residual stream")
    num_hidden_layers: int = Field(12, gt=0)
    num_attention_heads: int = Field(12, gt=0, description="H")
    intermediate_size: int = Field(3072, gt=0, description="F, width inside the feed-forward block")
    hidden_act: ActivationName = "gelu"
    hidden_dropout_prob: float = Field(0.1, ge=0, lt=1)
    attention_probs_dropout_prob: float = Field(0.1, ge=0, lt=1)
    classifier_dropout: float | None = Field(None, ge=0, lt=1, description="hidden_dropout_prob where it is null")
    max_position_embeddings: int = Field(512, gt=0, description="rows of the table of positions")
    type_vocab_size: int = Field(2, gt=0, description="kinds of segments")
    layer_norm_eps: float = Field(1e-12, gt=0)
