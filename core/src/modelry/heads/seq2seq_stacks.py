"""Encoder and decoder of the BART line: token and position embeddings, layers, and where asked a last norm.

B batch   T new positions   S positions of the encoder's output   D hidden width
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from modelry.cache import Cache
from modelry.configuration import ModelConfig
from modelry.heads.seq2seq_model import Seq2SeqModel
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.encoder_decoder import DecoderLayer, EncoderLayer
from modelry.nn.encoder_decoder_config import EncoderDecoderConfig
from modelry.nn.learned_positions import OffsetPositions, ScaledEmbedding
from modelry.nn.masks import bidirectional_mask, causal_mask
from modelry.nn.positions import check_length, padded_positions
from modelry.outputs import BaseModelOutput, BaseModelOutputWithPastAndCrossAttentions


def scaled_embedding(config: Any) -> ScaledEmbedding:
    """The embedding of tokens as an `EncoderDecoderConfig` has it."""
    scale = config.d_model**0.5 if config.scale_embedding else 1.0
    return ScaledEmbedding(config.vocab_size, config.d_model, config.pad_token_id, scale=scale)


class _Stack(PreTrainedModel):
    """What encoder and decoder have alike: embeddings, norms, and layers that may be skipped in training."""

    config_class: ClassVar[type[ModelConfig]] = EncoderDecoderConfig

    def __init__(
        self,
        config: ModelConfig,
        *,
        layerdrop: float,
        norm_first: bool,
        positions: nn.Module | None = None,
        embedding_norm: bool = True,
    ) -> None:
        super().__init__(config)
        values: Any = config
        self.embed_tokens = scaled_embedding(values)
        self.embed_positions = positions or OffsetPositions(values.max_position_embeddings, values.d_model)
        self.layernorm_embedding = nn.LayerNorm(values.d_model) if embedding_norm else nn.Identity()
        self.layer_norm = nn.LayerNorm(values.d_model) if norm_first else None
        self.dropout = nn.Dropout(values.dropout)
        self._layerdrop = layerdrop

    def _sizes(self, side: str, *, norm_first: bool) -> dict[str, Any]:
        values = self.config
        return {
            "size": values.d_model,
            "heads": getattr(values, f"{side}_attention_heads"),
            "inner": getattr(values, f"{side}_ffn_dim"),
            "act": activation(values.activation_function),
            "norm_first": norm_first,
            "dropout": values.dropout,
            "attention_dropout": values.attention_dropout,
            "activation_dropout": values.activation_dropout,
        }

    def _embedded(self, input_ids: Tensor | None, inputs_embeds: Tensor | None, what: str) -> Tensor:
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError(f"give {what} either ids or embeddings, and not both")
        x: Tensor = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        return x

    def _placed(self, x: Tensor, position_ids: Tensor) -> Tensor:
        positions = self.embed_positions(position_ids).to(x.dtype)  # computed ones are float32
        out: Tensor = self.dropout(self.layernorm_embedding(x + positions))
        return out

    def _skips(self) -> bool:
        """Whether to leave the next layer out (https://arxiv.org/abs/1909.11556)."""
        return self.training and self._layerdrop > 0 and float(torch.rand(())) < self._layerdrop


class TextEncoder(_Stack):
    """Ids to states that a decoder looks at.

    Args:
        norm_first: layers normalise what enters their blocks, and the last layer's output is normalised too.
    """

    def __init__(self, config: ModelConfig, *, norm_first: bool) -> None:
        values: Any = config
        super().__init__(config, layerdrop=values.encoder_layerdrop, norm_first=norm_first)
        sizes = self._sizes("encoder", norm_first=norm_first)
        self.layers = nn.ModuleList(EncoderLayer(**sizes) for _ in range(values.encoder_layers))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutput:
        """Read a whole input.

        Args:
            input_ids: (B, S) int64; or `inputs_embeds`, (B, S, D).
            attention_mask: (B, S), 0 at padding.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, or more positions than the model has.
        """
        x = self._embedded(input_ids, inputs_embeds, "the encoder")  # (B, S, D)
        count = x.shape[1]
        check_length(count, limit=self.config.max_position_embeddings)
        x = self._placed(x, padded_positions(attention_mask, new=count, device=x.device))
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden: list[Tensor] | None = [] if output_hidden_states or self.config.output_hidden_states else None
        mask = bidirectional_mask(attention_mask, keys=count, weights=weights)
        for layer in self.layers:
            if hidden is not None:
                hidden.append(x)
            x = x if self._skips() else layer(x, mask)
        x = x if self.layer_norm is None else self.layer_norm(x)
        return BaseModelOutput(x, None if hidden is None else (*hidden, x), None if weights is None else tuple(weights))


class TextDecoder(_Stack):
    """Ids, and an encoder's states where there are some, to states.

    Args:
        norm_first: see `TextEncoder`.
        positions: position ids (B, T) to vectors (B, T, D), instead of a table that begins with two unread rows.
        embedding_norm: normalise the sum of token and position.
        key_bias: see `modelry.nn.encoder_decoder.SelfAttention`.
        source: width of the encoder's states; D when None.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        norm_first: bool,
        positions: nn.Module | None = None,
        embedding_norm: bool = True,
        key_bias: bool = True,
        source: int | None = None,
    ) -> None:
        values: Any = config
        super().__init__(
            config,
            layerdrop=values.decoder_layerdrop,
            norm_first=norm_first,
            positions=positions,
            embedding_norm=embedding_norm,
        )
        self._source: int = source or values.d_model
        sizes = {**self._sizes("decoder", norm_first=norm_first), "key_bias": key_bias, "source": source}
        self.layers = nn.ModuleList(DecoderLayer(**sizes) for _ in range(values.decoder_layers))

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """Run the T new positions.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            attention_mask: (B, all positions of the decoder), 0 at padding.
            position_ids: (B, T); counted from each row's first real token when None.
            encoder_hidden_states: (B, S, D or `source`); None for a decoder that stands alone.
            encoder_attention_mask: (B, S), 0 at padding.
            past_key_values: what came before; extended by T.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, more positions than the model has, or states of
                another width.
        """
        x = self._embedded(input_ids, inputs_embeds, "the decoder")  # (B, T, D)
        cache, new = past_key_values, x.shape[1]
        if cache is None and (use_cache or (use_cache is None and self.config.use_cache and not self.training)):
            cache = self.make_cache()
        seen = 0 if cache is None else cache.seen
        if position_ids is None:
            check_length(seen + new, limit=self.config.max_position_embeddings, what="the decoder's text")
            position_ids = padded_positions(attention_mask, new=new, seen=seen, device=x.device)
        x = self._placed(x, position_ids)
        wanted = output_attentions or self.config.output_attentions
        weights: list[Tensor] | None = [] if wanted else None
        looks: list[Tensor] | None = [] if wanted and encoder_hidden_states is not None else None
        hidden: list[Tensor] | None = [] if output_hidden_states or self.config.output_hidden_states else None
        width = new if cache is None else cache.width_after(new)
        mask = causal_mask(attention_mask, new=new, seen=seen, width=width, device=x.device, weights=weights)
        source, source_mask = encoder_hidden_states, None
        if source is not None:
            if source.shape[-1] != self._source:
                raise ValueError(
                    f"the decoder looks at states of width {self._source}, and encoder_hidden_states have the shape "
                    f"{tuple(source.shape)}: use the encoder that it was made for, or a projection between them"
                )
            source_mask = bidirectional_mask(encoder_attention_mask, keys=source.shape[1], weights=looks)
        nothing = [None] * len(self.layers)
        cross = nothing if cache is None or source is None else cache.cross_layers()
        for layer, held, held_cross in zip(self.layers, nothing if cache is None else cache, cross, strict=True):
            if hidden is not None:
                hidden.append(x)
            x = x if self._skips() else layer(x, mask, source, source_mask, held, held_cross)
        x = x if self.layer_norm is None else self.layer_norm(x)
        if cache is not None:
            cache.advance(new)
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=x,
            past_key_values=cache,
            hidden_states=None if hidden is None else (*hidden, x),
            attentions=None if weights is None else tuple(weights),
            cross_attentions=None if looks is None else tuple(looks),
        )


class TextToTextModel(Seq2SeqModel):
    """Both sides of the BART line, over one embedding of tokens. A family names their classes."""

    embedding = staticmethod(scaled_embedding)
    tied_weights: ClassVar[Mapping[str, str]] = {
        f"{side}.embed_tokens.weight": "shared.weight" for side in ("encoder", "decoder")
    }
    unread = ("encoder.version", "decoder.version")
