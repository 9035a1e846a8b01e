"""T5: an encoder and a decoder with relative positions, and the heads over them.

B batch   T new positions   S positions of the encoder's output   W keys offered   D d_model   H num_heads   C labels
Raffel et al. 2020, https://arxiv.org/abs/1910.10683.
"""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from modelry.cache import Cache
from modelry.heads import (
    Seq2SeqLM,
    Seq2SeqModel,
    Seq2SeqQuestionAnswering,
    Seq2SeqSequenceClassification,
)
from modelry.heads.losses import cross_entropy
from modelry.inference.answer_parts import AnswerParts
from modelry.model import PreTrainedModel
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, bidirectional_mask, causal_mask
from modelry.nn.relative_positions import relative_buckets
from modelry.outputs import BaseModelOutput, BaseModelOutputWithPastAndCrossAttentions, TokenClassifierOutput
from modelry_t5.configuration import T5Config
from modelry_t5.layers import T5Block, T5LayerNorm
from modelry_t5.start import start_weights
from modelry_t5.step_parts import step_parts

ENCODER_SHARES = {"encoder.embed_tokens.weight": "shared.weight"}
BOTH_SHARE = {**ENCODER_SHARES, "decoder.embed_tokens.weight": "shared.weight"}


class T5Stack(PreTrainedModel):
    """Layers, and the norm behind them, of either side.

    Args:
        decoder: sees nothing behind a query, looks at an encoder's output, and has a cache.
    """

    config_class = T5Config
    attention_needs = ("biases",)
    keep_from_float16 = (".DenseReluDense.wo.weight",)

    def __init__(self, config: T5Config, *, decoder: bool) -> None:
        super().__init__(config)
        self.decoder = decoder
        self.embed_tokens = nn.Embedding(config.vocab_size, config.d_model)
        count = config.num_decoder_layers if decoder else config.num_layers
        self.block = nn.ModuleList(T5Block(config, looks=decoder, biased=number == 0) for number in range(count))
        self.final_layer_norm = T5LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.dropout = nn.Dropout(config.dropout_rate)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
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
            attention_mask: (B, all positions), 0 at padding.
            encoder_hidden_states: (B, S, D), of a decoder.
            encoder_attention_mask: (B, S), 0 at padding.
            past_key_values: what a decoder has seen; extended by T.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, or a mask of another shape.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError(f"give the {'de' if self.decoder else 'en'}coder either ids or embeddings, and not both")
        x: Tensor = self.dropout(self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds)  # (B, T, D)
        cache, source = past_key_values, encoder_hidden_states
        asked = use_cache or (use_cache is None and self.config.use_cache and not self.training)
        if cache is None and asked and self.decoder:
            cache = self.make_cache()
        wanted = output_attentions or self.config.output_attentions
        weights: list[Tensor] | None = [] if wanted else None
        looks: list[Tensor] | None = [] if wanted and source is not None else None
        hidden: list[Tensor] | None = [] if output_hidden_states or self.config.output_hidden_states else None
        mask, buckets = self._mask(x, attention_mask, cache, weights)
        source_mask = None
        if source is not None:
            source_mask = bidirectional_mask(encoder_attention_mask, keys=source.shape[1], weights=looks)
        nothing = [None] * len(self.block)
        cross = nothing if cache is None or source is None else cache.cross_layers()
        for block, held, held_cross in zip(self.block, nothing if cache is None else cache, cross, strict=True):
            if hidden is not None:
                hidden.append(x)
            x, mask = block(x, mask, buckets, source, source_mask, held, held_cross)
        if cache is not None:
            cache.advance(x.shape[1])
        end = x.shape[1] if cache is None else cache.seen  # behind it is the unused tail of a cache
        x = self.dropout(self.final_layer_norm(x))
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=x,
            past_key_values=cache,
            hidden_states=None if hidden is None else (*hidden, x),
            attentions=None if weights is None else tuple(one[..., :end] for one in weights),
            cross_attentions=None if looks is None else tuple(looks),
        )

    def _mask(
        self, x: Tensor, attention_mask: Tensor | None, cache: Cache | None, weights: list[Tensor] | None
    ) -> tuple[Mask, Tensor]:
        """Who sees whom, and (T, W) the row of the first layer's table for every query and key."""
        new, seen = x.shape[1], 0 if cache is None else cache.seen
        width = new if cache is None else cache.width_after(new)
        if self.decoder:
            plain = causal_mask(attention_mask, new=new, seen=seen, width=width, device=x.device)
        else:
            plain = bidirectional_mask(attention_mask, keys=new)
        buckets = relative_buckets(
            new=new,
            seen=seen,
            width=width,
            buckets=self.config.relative_attention_num_buckets,
            most=self.config.relative_attention_max_distance,
            both_ways=not self.decoder,
            device=x.device,
        )
        return Mask(plain.allowed, causal=plain.causal, weights=weights), buckets


class T5Encoder(T5Stack):
    """The reading side."""

    def __init__(self, config: T5Config) -> None:
        super().__init__(config, decoder=False)


class T5Decoder(T5Stack):
    """The writing side."""

    def __init__(self, config: T5Config) -> None:
        super().__init__(config, decoder=True)


class T5Model(Seq2SeqModel):
    """Both sides, over one embedding of tokens."""

    config_class = T5Config
    encoder_class = T5Encoder
    decoder_class = T5Decoder
    shared_weights: ClassVar[Mapping[str, str]] = BOTH_SHARE
    unread = ("lm_head.", "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.")
    initialize_weights = start_weights


class T5ForConditionalGeneration(Seq2SeqLM):
    """T5 that writes an answer."""

    base_class = T5Model
    base_model_prefix = ""
    optional_parts = ("lm_head.",)
    shared_weights: ClassVar[Mapping[str, str]] = BOTH_SHARE
    tied_weights: ClassVar[Mapping[str, str]] = {"lm_head.weight": "shared.weight"}
    unread = T5Model.unread[1:]
    initialize_weights = start_weights

    def scored(self, hidden: Tensor) -> Tensor:
        if self.config.scale_decoder_outputs:
            hidden = hidden * self.config.d_model**-0.5
        return super().scored(hidden)

    def step_parts(self) -> AnswerParts | None:
        """What the kernel may step through by itself; see `modelry_t5.step_parts`."""
        return step_parts(self.decoder, self.scored)


class T5EncoderModel(PreTrainedModel):
    """The encoder alone."""

    config_class = T5Config
    base_model_prefix = "transformer"
    input_embeddings_name = "shared"
    shared_weights: ClassVar[Mapping[str, str]] = ENCODER_SHARES
    unread = ("decoder.", "lm_head.")
    initialize_weights = start_weights

    def __init__(self, config: T5Config) -> None:
        super().__init__(config)
        self.shared = nn.Embedding(config.vocab_size, config.d_model)
        self.encoder = T5Encoder(config)

    def get_encoder(self) -> nn.Module:
        """The encoder."""
        return self.encoder

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutput:
        """Read a whole text; see `T5Stack.forward`."""
        out = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            inputs_embeds=inputs_embeds,
            output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )
        return BaseModelOutput(out.last_hidden_state, out.hidden_states, out.attentions)


class T5ForSequenceClassification(Seq2SeqSequenceClassification):
    """T5 that gives a whole text its labels, by what the decoder makes of its end."""

    base_class = T5Model
    base_model_prefix = "transformer"
    initialize_weights = start_weights


class T5ForQuestionAnswering(Seq2SeqQuestionAnswering):
    """T5 that finds an answer in a text."""

    base_class = T5Model
    base_model_prefix = ""
    input_embeddings_name = "shared"
    optional_parts = ("qa_outputs.",)
    shared_weights: ClassVar[Mapping[str, str]] = BOTH_SHARE
    unread = T5Model.unread
    initialize_weights = start_weights


class T5ForTokenClassification(PreTrainedModel):
    """T5's encoder that gives every token its labels."""

    config_class = T5Config
    base_model_prefix = "transformer"
    initialize_weights = start_weights

    def __init__(self, config: T5Config) -> None:
        super().__init__(config)
        self.transformer = T5EncoderModel(config)
        self.dropout = nn.Dropout(config.classifier_dropout)
        self.classifier = Linear(config.d_model, config.num_labels)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        num_items_in_batch: Tensor | int | None = None,
    ) -> TokenClassifierOutput:
        """Score the labels of every token, (B, T, C).

        Args:
            labels: (B, T) int64, -100 does not count.
            num_items_in_batch: see `modelry.heads.losses.cross_entropy`.
            input_ids: and the others: see `T5Stack.forward`.
        """
        out = self.transformer(input_ids, attention_mask, inputs_embeds, output_hidden_states, output_attentions)
        logits = self.classifier(self.dropout(out.last_hidden_state))
        loss = None
        if labels is not None:
            loss = cross_entropy(logits.flatten(0, 1), labels.flatten(), num_items_in_batch=num_items_in_batch)
        return TokenClassifierOutput(loss, logits, out.hidden_states, out.attentions)
