"""Images in, text out: any image encoder and any text decoder of the registry, as one model.

TrOCR, https://arxiv.org/abs/2109.10282, and Donut, https://arxiv.org/abs/2111.15664, are published so.
B batch   S positions of the encoder's output   T new positions of the decoder   D widths   V vocabulary
"""

from typing import Any

from torch import Tensor, nn

from modelry.auto import AutoModel, AutoModelForCausalLM
from modelry.cache import Cache
from modelry.heads.losses import cross_entropy
from modelry.heads.shifting import shift_right
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.outputs import BaseModelOutput, Seq2SeqLMOutput
from modelry_vision_encoder_decoder.configuration import VisionEncoderDecoderConfig


class VisionEncoderDecoderModel(PreTrainedModel):
    """`encoder`, `decoder`, and between them `enc_to_dec_proj` where their widths differ."""

    config_class = VisionEncoderDecoderConfig
    base_model_prefix = "vision_encoder_decoder"
    main_input_name = "pixel_values"
    optional_parts = ("encoder.pooler.",)  # published TrOCRs are without it, and nothing reads it

    def __init__(self, config: VisionEncoderDecoderConfig) -> None:
        super().__init__(config)
        self.encoder = AutoModel.from_config(config.encoder)
        self.decoder = AutoModelForCausalLM.from_config(config.decoder)
        source: Any = self.encoder.config
        wide = self.decoder.config.hidden_size
        self.enc_to_dec_proj = None
        if source.hidden_size != wide and config.looks_at is None:
            self.enc_to_dec_proj = Linear(source.hidden_size, wide)

    def get_encoder(self) -> nn.Module:
        """The part that looks at images."""
        return self.encoder

    def get_decoder(self) -> nn.Module:
        """The part that writes."""
        return self.decoder

    def get_input_embeddings(self) -> nn.Module:
        return self.decoder.get_input_embeddings()

    def get_output_embeddings(self) -> nn.Module | None:
        return self.decoder.get_output_embeddings()

    def resize_token_embeddings(self, count: int | None = None, *, pad_to_multiple_of: int | None = None) -> nn.Module:
        embedding = self.decoder.resize_token_embeddings(count, pad_to_multiple_of=pad_to_multiple_of)
        self.config.decoder.vocab_size = self.decoder.config.vocab_size
        return embedding

    def forward(
        self,
        pixel_values: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: Any = None,
        past_key_values: Cache | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        attention_mask: Tensor | None = None,
    ) -> Seq2SeqLMOutput:
        """Score the next token of the text about an image, (B, T, V).

        Args:
            pixel_values: (B, C, H, W); or `encoder_outputs` of an earlier pass, whose first is (B, S, D).
            decoder_input_ids: (B, T) int64; or `decoder_inputs_embeds`, (B, T, D).
            decoder_attention_mask: (B, all positions of the decoder), 0 at padding.
            labels: (B, T), the text; -100 does not count. The decoder then reads them shifted to the right.
            past_key_values: what the decoder has seen; its part about the image is computed in its first pass.
            attention_mask: None; images have no padding.

        Raises:
            ValueError: there is no image, or labels and neither a start token nor padding.
        """
        if attention_mask is not None:
            raise ValueError("attention_mask is of no meaning for images: leave it out")
        flags = {"output_hidden_states": output_hidden_states, "output_attentions": output_attentions}
        if encoder_outputs is None:
            if pixel_values is None:
                raise ValueError("there is nothing to look at: give pixel_values, or encoder_outputs")
            encoder_outputs = self.encoder(pixel_values=pixel_values, **flags)
        elif not hasattr(encoder_outputs, "last_hidden_state"):
            encoder_outputs = BaseModelOutput(*encoder_outputs)
        states: Tensor = encoder_outputs.last_hidden_state  # (B, S, D)
        if labels is not None and decoder_input_ids is None and decoder_inputs_embeds is None:
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        out = self.decoder(
            input_ids=decoder_input_ids,
            attention_mask=decoder_attention_mask,
            encoder_hidden_states=states if self.enc_to_dec_proj is None else self.enc_to_dec_proj(states),
            inputs_embeds=decoder_inputs_embeds,
            past_key_values=past_key_values,
            use_cache=use_cache,
            **flags,
        )
        loss = None if labels is None else cross_entropy(out.logits.flatten(0, 1), labels.flatten())
        return Seq2SeqLMOutput(
            loss=loss,
            logits=out.logits,
            past_key_values=out.past_key_values,
            decoder_hidden_states=out.hidden_states,
            decoder_attentions=out.attentions,
            cross_attentions=out.cross_attentions,
            encoder_last_hidden_state=states,
            encoder_hidden_states=encoder_outputs.hidden_states,
            encoder_attentions=encoder_outputs.attentions,
        )

    def scored(self, hidden: Tensor) -> Tensor:
        """Scores (B, T, V) of the decoder's states (B, T, D)."""
        writer: Any = self.decoder
        logits: Tensor = writer.scored(hidden)
        return logits

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """What the decoder reads to learn to write labels, (B, T).

        Raises:
            ValueError: the configuration does not say what texts begin with, or what padding is.
        """
        start, padding = self.config.decoder_start_token_id, self.config.pad_token_id
        if start is None or padding is None:
            raise ValueError(
                f"decoder_start_token_id is {start} and pad_token_id {padding}: set both in the configuration, "
                "or give decoder_input_ids"
            )
        return shift_right(labels, start=start, padding=padding)
