"""Whisper: a log-mel spectrogram and a text so far in, hidden states of the text out. Radford et al. 2022,
https://arxiv.org/abs/2212.04356. What stands over it is in transcribing.py and classification.py.

B rows   M mel bins   L frames of the spectrogram, 2 S   S positions of the encoder   T positions of the text
D d_model
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.cache import Cache
from modelry.checkpoint.weight_table import WeightTable
from modelry.configuration import ModelConfig
from modelry.heads.decoder_lm import DecoderLM
from modelry.heads.seq2seq_model import encode_and_decode
from modelry.heads.seq2seq_stacks import TextDecoder
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.encoder_decoder import EncoderLayer
from modelry.nn.masks import Mask
from modelry.nn.positions import first_rows
from modelry.nn.spec_augment import masked_spans
from modelry.outputs import BaseModelOutput, CausalLMOutputWithCrossAttentions, Seq2SeqModelOutput
from modelry_whisper.configuration import WhisperConfig

LONGEST_WAVE = 10000.0


def sinusoids(length: int, width: int) -> Tensor:
    """(length, width): sines of geometrically growing wavelengths, then their cosines."""
    waves = LONGEST_WAVE ** (-torch.arange(width // 2) / (width // 2 - 1 or 1))
    angles = torch.arange(length)[:, None] * waves
    return torch.cat((angles.sin(), angles.cos()), dim=1)


class WhisperEncoder(PreTrainedModel):
    """Two convolutions, the second halving the frames, positions, layers and a norm."""

    config_class = WhisperConfig
    main_input_name = "input_features"

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__(config)
        self.conv1 = nn.Conv1d(config.num_mel_bins, config.d_model, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(config.d_model, config.d_model, kernel_size=3, stride=2, padding=1)
        self.embed_positions = nn.Embedding(config.max_source_positions, config.d_model)
        self.embed_positions.requires_grad_(False)  # as published; a training script may change its mind
        self.dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(
            EncoderLayer(
                config.d_model,
                config.encoder_attention_heads,
                config.encoder_ffn_dim,
                act=activation(config.activation_function),
                norm_first=True,
                dropout=config.dropout,
                attention_dropout=config.attention_dropout,
                activation_dropout=config.activation_dropout,
                key_bias=False,
            )
            for _ in range(config.encoder_layers)
        )
        self.layer_norm = nn.LayerNorm(config.d_model)

    def init_weights(self, module: nn.Module) -> None:
        super().init_weights(module)
        if module is self.embed_positions:
            self.embed_positions.weight.copy_(sinusoids(*self.embed_positions.weight.shape))

    def forward(
        self,
        input_features: Tensor,
        attention_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutput:
        """Hear a spectrogram.

        Args:
            input_features: (B, M, L).
            attention_mask: not looked at: silence is heard as silence.

        Raises:
            ValueError: the spectrogram has another size.
        """
        bins, frames = self.config.num_mel_bins, 2 * self.config.max_source_positions
        if input_features.dim() != 3 or input_features.shape[1:] != (bins, frames):
            raise ValueError(
                f"input_features have the shape {tuple(input_features.shape)}: (rows, {bins}, {frames}) is needed. "
                "The feature extractor's feature_size and chunk_length must be the model's"
            )
        x = F.gelu(self.conv1(input_features.to(self.conv1.weight.dtype)))
        x = F.gelu(self.conv2(x)).transpose(1, 2)  # (B, S, D), laid out as (B, D, S)
        x = self.dropout((x + first_rows(self.embed_positions, device=x.device)).contiguous())  # every layer adds to it
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden: list[Tensor] | None = [] if output_hidden_states or self.config.output_hidden_states else None
        mask, drop = Mask(weights=weights), self.config.encoder_layerdrop
        for layer in self.layers:
            if hidden is not None:
                hidden.append(x)
            if not (self.training and drop and float(torch.rand(())) < drop):
                x = layer(x, mask)
        x = self.layer_norm(x)
        return BaseModelOutput(x, None if hidden is None else (*hidden, x), None if weights is None else tuple(weights))


class WhisperDecoder(TextDecoder):
    """The writing side; its positions are a table of their own."""

    config_class: ClassVar[type[ModelConfig]] = WhisperConfig

    def __init__(self, config: WhisperConfig) -> None:
        positions = nn.Embedding(config.max_target_positions, config.d_model)
        super().__init__(config, norm_first=True, positions=positions, embedding_norm=False, key_bias=False)


class WhisperModel(PreTrainedModel):
    """Encoder and decoder."""

    config_class = WhisperConfig
    main_input_name = "input_features"
    input_embeddings_name = "decoder.embed_tokens"

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__(config)
        self.encoder = WhisperEncoder(config)
        self.decoder = WhisperDecoder(config)

    def forward(
        self,
        input_features: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        past_key_values: Cache | None = None,
        decoder_inputs_embeds: Tensor | None = None,
        decoder_position_ids: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> Seq2SeqModelOutput:
        """Hear, where encoder_outputs are not given, and write.

        Args:
            input_features: (B, M, L).
            attention_mask: (B, L), 0 at padding; keeps SpecAugment to the sound, and nothing else.
            decoder_input_ids: (B, T) int64; or `decoder_inputs_embeds`, (B, T, D).
            encoder_outputs: and the others: see `modelry.heads.seq2seq_model.encode_and_decode`.

        Raises:
            ValueError: there is nothing to hear, or nothing to write behind.
        """
        if (input_features is None) == (encoder_outputs is None):
            raise ValueError("give either input_features or encoder_outputs, and not both")
        features: dict[str, Any] = {}
        if input_features is not None:
            features["input_features"] = self._augmented(input_features, attention_mask)
        return encode_and_decode(
            self,
            decoder_input_ids=decoder_input_ids,
            decoder_attention_mask=decoder_attention_mask,
            encoder_outputs=encoder_outputs,
            past_key_values=past_key_values,
            decoder_inputs_embeds=decoder_inputs_embeds,
            decoder_position_ids=decoder_position_ids,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            **features,
        )

    def get_encoder(self) -> nn.Module:
        """The part that hears."""
        return self.encoder

    def get_decoder(self) -> nn.Module:
        """The part that writes."""
        return self.decoder

    def freeze_encoder(self) -> None:
        """Leave the hearing side as it is in training."""
        self.encoder.requires_grad_(False)

    def _augmented(self, features: Tensor, mask: Tensor | None) -> Tensor:
        """(B, M, L) with some frames and some bins silenced, in training."""
        config = self.config
        if not (config.apply_spec_augment and self.training):
            return features
        rows, bins, frames = features.shape
        silent = torch.zeros(rows, bins, frames, dtype=torch.bool, device=features.device)
        if config.mask_time_prob > 0:
            silent |= masked_spans(
                rows,
                frames,
                share=config.mask_time_prob,
                span=config.mask_time_length,
                least=config.mask_time_min_masks,
                lengths=None if mask is None else mask.sum(-1),
                device=features.device,
            )[:, None]
        if config.mask_feature_prob > 0:
            silent |= masked_spans(
                rows,
                bins,
                share=config.mask_feature_prob,
                span=config.mask_feature_length,
                least=config.mask_feature_min_masks,
                device=features.device,
            )[:, :, None]
        return features.masked_fill(silent, 0.0)


class WhisperForCausalLM(DecoderLM):
    """Whisper's decoder alone, or over an encoder's output: a small model that drafts for a large one."""

    base_class = WhisperDecoder
    output_embeddings_name = "proj_out"
    tied_weights: ClassVar[Mapping[str, str]] = {"proj_out.weight": "model.decoder.embed_tokens.weight"}
    weight_table: ClassVar[WeightTable | None] = None
    unread: ClassVar[tuple[str, ...]] = ("model.encoder.",)

    scored = DecoderLM.scored  # the forward below names an argument otherwise, and is the same

    def forward(  # type: ignore[override]  # published with encoder_outputs in place of encoder_hidden_states
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | Sequence[Any] | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        logits_to_keep: int | Tensor = 0,
    ) -> CausalLMOutputWithCrossAttentions:
        """Score the next token at each position.

        Args:
            encoder_outputs: of a WhisperEncoder; None for a decoder that stands alone.
            input_ids: and the others: those of `modelry.heads.decoder_lm.DecoderLM.forward`.
        """
        heard = encoder_outputs
        return super().forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            encoder_hidden_states=heard if heard is None or isinstance(heard, Tensor) else heard[0],
            past_key_values=past_key_values,
            inputs_embeds=inputs_embeds,
            labels=labels,
            use_cache=use_cache,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
            logits_to_keep=logits_to_keep,
        )
