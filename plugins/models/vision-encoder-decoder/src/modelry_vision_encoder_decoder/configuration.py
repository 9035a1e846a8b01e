"""What a vision-encoder-decoder config.json means: two configurations, each of a family that the registry knows."""

from typing import Literal, Self

from pydantic import model_validator

from modelry.configuration import ModelConfig, SubConfig


class VisionEncoderDecoderConfig(ModelConfig):
    """An image encoder's configuration and a text decoder's.

    Raises:
        ConfigError: one of them is impossible.
        RegistryError: no installed package provides one of the families.
    """

    model_type: Literal["vision-encoder-decoder"] = "vision-encoder-decoder"
    encoder: SubConfig
    decoder: SubConfig
    is_encoder_decoder: bool = True
    decoder_start_token_id: int | None = None

    def get_text_config(self, decoder: bool | None = None, encoder: bool | None = None) -> ModelConfig:
        """The decoder's."""
        return self.decoder

    @model_validator(mode="after")
    def _widths_fit(self) -> Self:
        width, said = getattr(self.encoder, "hidden_size", None), self.looks_at
        if said is not None and said != width:
            raise ValueError(f"cross_attention_hidden_size {said} of the decoder is not the encoder's width {width}")
        return self

    @property
    def looks_at(self) -> int | None:
        """Width that the decoder says it looks at; its own where it says nothing."""
        found: int | None = getattr(self.decoder, "cross_attention_hidden_size", None)
        return found
