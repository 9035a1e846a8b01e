"""What a Whisper config.json means. Plain data: it reads and checks, and builds nothing."""

from typing import Literal, Self

from pydantic import Field, model_validator

from modelry.nn.activation_names import ActivationName
from modelry.nn.encoder_decoder_config import StacksConfig


class WhisperConfig(StacksConfig):
    """Field names are the published ones; defaults are those of whisper-tiny, as its files leave them out.

    Raises:
        ConfigError: a value is impossible; the message has the two numbers.
    """

    model_type: Literal["whisper"] = "whisper"
    vocab_size: int = Field(51865, gt=0, description="V, tokens")
    num_mel_bins: int = Field(80, gt=0, description="M, rows of the spectrogram")
    d_model: int = Field(384, gt=0, description="D, width of the residual stream")
    encoder_layers: int = Field(4, gt=0)
    encoder_attention_heads: int = Field(6, gt=0)
    encoder_ffn_dim: int = Field(1536, gt=0)
    decoder_layers: int = Field(4, gt=0)
    decoder_attention_heads: int = Field(6, gt=0)
    decoder_ffn_dim: int = Field(1536, gt=0)
    activation_function: ActivationName = "gelu"
    max_source_positions: int = Field(1500, gt=0, description="S, half the frames of a spectrogram")
    max_target_positions: int = Field(448, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    scale_embedding: Literal[False] = False  # of BART; the published model never scales
    decoder_start_token_id: int | None = 50257
    pad_token_id: int | None = 50256
    bos_token_id: int | list[int] | None = 50256
    eos_token_id: int | list[int] | None = 50256
    suppress_tokens: list[int] | None = None
    begin_suppress_tokens: list[int] | None = Field(default_factory=lambda: [220, 50256])
    forced_decoder_ids: list[list[int | None]] | None = Field(
        None, description="of files before generation_config.json"
    )
    median_filter_width: int = Field(7, gt=0, description="of word time stamps")

    use_weighted_layer_sum: bool = Field(False, description="the classifier reads a learned mean of all layers")
    classifier_proj_size: int = Field(256, gt=0)

    apply_spec_augment: bool = False
    mask_time_prob: float = Field(0.05, ge=0, le=1)
    mask_time_length: int = Field(10, gt=0)
    mask_time_min_masks: int = Field(2, ge=0)
    mask_feature_prob: float = Field(0.0, ge=0, le=1)
    mask_feature_length: int = Field(10, gt=0)
    mask_feature_min_masks: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _width_is_even(self) -> Self:
        if self.d_model % 2:
            raise ValueError(f"d_model {self.d_model} is odd: half of it are sines, half cosines")
        return self

    @property
    def max_position_embeddings(self) -> int:
        """Positions of a text."""
        return self.max_target_positions
