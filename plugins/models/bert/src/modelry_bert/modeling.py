"""BERT: token ids in, hidden states out. An encoder, or a decoder where the configuration says so. No heads here.

B batch   T new positions   S all positions, cached ones included   X positions of an encoder's output
D hidden_size   H heads   E head width
Paper: https://arxiv.org/abs/1810.04805.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from modelry.cache import Cache, CrossLayerCache, LayerCache
from modelry.checkpoint import Former, Ignore, WeightTable
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.attention import Attend, merge_heads, projected_heads, split_heads
from modelry.nn.linear import Linear, project
from modelry.nn.masks import Mask, bidirectional_mask, causal_mask
from modelry.nn.positions import first_rows, row_positions
from modelry.nn.post_norm import DenseActivation, DenseAddNorm, FirstTokenPooler, feed_forward
from modelry.nn.sdpa import sdpa_attention
from modelry.outputs import BaseModelOutputWithPoolingAndCrossAttentions
from modelry_bert.configuration import BertConfig


class BertEmbeddings(nn.Module):
    """The sum of what a token, its place and its segment say, normalised."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.word_embeddings = nn.Embedding(config.vocab_size, size, config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, size)
        self.LayerNorm = nn.LayerNorm(size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def forward(
        self, input_ids: Tensor | None, inputs_embeds: Tensor | None, positions: Tensor, segments: Tensor | None
    ) -> Tensor:
        words: Tensor = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        if segments is None:
            kinds = first_rows(self.token_type_embeddings, 1, device=words.device)
        else:
            kinds = self.token_type_embeddings(segments)
        x: Tensor = self.dropout(self.LayerNorm(words + kinds + self.position_embeddings(positions)))  # (B, T, D)
        return x


class BertSelfAttention(nn.Module):
    """Queries, keys and values; to itself, or to the output of an encoder."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.heads, self.scale = config.num_attention_heads, config.head_dim**-0.5
        self.rate = config.attention_probs_dropout_prob
        self.attend: Attend = sdpa_attention
        self.query = Linear(config.hidden_size, config.hidden_size)
        self.key = Linear(config.hidden_size, config.hidden_size)
        self.value = Linear(config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor, mask: Mask, cache: LayerCache | None) -> Tensor:
        q, k, v = projected_heads(x, (self.query, self.key, self.value), heads=self.heads)  # (B, H, T, E) each
        if cache is not None:
            k, v = cache.extend(k, v)
        return self._mixed(q, k, v, mask)

    def look_at(self, encoded: Tensor, x: Tensor, mask: Mask, cache: CrossLayerCache | None) -> Tensor:
        """Attention of x (B, T, D) to an encoder's output (B, X, D), whose keys and values are computed once."""
        q = split_heads(self.query(x), self.heads)
        if cache is not None and cache.keys is not None and cache.values is not None:
            return self._mixed(q, cache.keys, cache.values, mask)
        k, v = (split_heads(one, self.heads) for one in project(encoded, self.key, self.value))  # (B, H, X, E)
        if cache is not None:
            k, v = cache.store(k, v)
        return self._mixed(q, k, v, mask)

    def _mixed(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        dropout = self.rate if self.training else 0.0
        return merge_heads(self.attend(q, k, v, mask, scale=self.scale, dropout=dropout))  # (B, T, D)


class BertAttention(nn.Module):
    """Attention and what follows it."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        size = config.hidden_size
        self.self = BertSelfAttention(config)
        self.output = DenseAddNorm(size, size, eps=config.layer_norm_eps, dropout=config.hidden_dropout_prob)


class BertLayer(nn.Module):
    """Attention, attention to an encoder where there is one, and the feed-forward block."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        size, inner = config.hidden_size, config.intermediate_size
        self.attention = BertAttention(config)
        self.crossattention = BertAttention(config) if config.add_cross_attention else None
        self.intermediate = DenseActivation(size, inner, act=activation(config.hidden_act))
        self.output = DenseAddNorm(inner, size, eps=config.layer_norm_eps, dropout=config.hidden_dropout_prob)

    def forward(
        self,
        x: Tensor,
        mask: Mask,
        cache: LayerCache | None,
        encoded: Tensor | None,
        cross_mask: Mask,
        cross_cache: CrossLayerCache | None,
    ) -> Tensor:
        x = self.attention.output(self.attention.self(x, mask, cache), x)
        if self.crossattention is not None and encoded is not None:
            seen = self.crossattention.self.look_at(encoded, x, cross_mask, cross_cache)
            x = self.crossattention.output(seen, x)
        return feed_forward(x, self.intermediate, self.output)  # (B, T, D)


class BertEncoder(nn.Module):
    """The layers, under their published name."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(config) for _ in range(config.num_hidden_layers))


class BertModel(PreTrainedModel):
    """Embeddings, layers and the pooler."""

    config_class = BertConfig
    base_model_prefix = "bert"
    input_embeddings_name = "embeddings.word_embeddings"
    optional_parts = ("pooler.",)
    weight_table = WeightTable(
        Ignore("embeddings.position_ids"),
        Former("embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"),
        Former("embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
        Former(
            "encoder.layer.{i}.attention.output.LayerNorm.gamma", "encoder.layer.{i}.attention.output.LayerNorm.weight"
        ),
        Former(
            "encoder.layer.{i}.attention.output.LayerNorm.beta", "encoder.layer.{i}.attention.output.LayerNorm.bias"
        ),
        Former("encoder.layer.{i}.output.LayerNorm.gamma", "encoder.layer.{i}.output.LayerNorm.weight"),
        Former("encoder.layer.{i}.output.LayerNorm.beta", "encoder.layer.{i}.output.LayerNorm.bias"),
    )

    def __init__(self, config: BertConfig, *, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = BertEmbeddings(config)
        self.encoder = BertEncoder(config)
        self.pooler = FirstTokenPooler(config.hidden_size) if add_pooling_layer else None

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPoolingAndCrossAttentions:
        """Run the T new positions.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            attention_mask: (B, S), 1 for real tokens and 0 for padding; None where nothing is padded.
            token_type_ids: (B, T), the segment of each token; the first where None.
            position_ids: (B, T); counted from the first column when None, padding included, as published.
            encoder_hidden_states: (B, X, D), for a decoder with cross-attention.
            encoder_attention_mask: (B, X), 1 for real tokens.
            past_key_values: of a decoder, what came before; extended by T.
            use_cache: of a decoder, return a cache, a new one where none is given. When None, as the configuration
                says, but not in training.
            output_hidden_states: also return the residual stream, (B, T, D), before each layer and at the end.
            output_attentions: also return each layer's weights, (B, H, T, S); needs the eager attention.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, more positions than the model has, a mask of
                another shape, a cache for an encoder, or an encoder's output for a model without cross-attention.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds, and not both")
        config: BertConfig = self.config
        self._refuse_what_only_decoders_take(encoder_hidden_states, past_key_values)
        given: Any = input_ids if inputs_embeds is None else inputs_embeds
        cache, new, device = past_key_values, given.shape[1], given.device
        wanted = config.use_cache and not self.training if use_cache is None else use_cache
        if cache is None and wanted and config.is_decoder:
            cache = self.make_cache()
        seen = 0 if cache is None else cache.seen
        positions = row_positions(position_ids, new=new, seen=seen, limit=config.max_position_embeddings, device=device)
        weights: list[Tensor] | None = [] if output_attentions or config.output_attentions else None
        cross_weights: list[Tensor] | None = [] if weights is not None and config.add_cross_attention else None
        hidden: list[Tensor] | None = [] if output_hidden_states or config.output_hidden_states else None
        if config.is_decoder:
            width = new if cache is None else cache.width_after(new)
            mask = causal_mask(attention_mask, new=new, seen=seen, width=width, device=device, weights=weights)
        else:
            mask = bidirectional_mask(attention_mask, keys=new, weights=weights)
        cross_mask = bidirectional_mask(encoder_attention_mask, weights=cross_weights)
        x = self.embeddings(input_ids, inputs_embeds, positions, token_type_ids)
        nothing: Sequence[Any] = [None] * config.num_hidden_layers
        caches, cross_caches = (nothing, nothing) if cache is None else (cache.layers, nothing)
        if cache is not None and encoder_hidden_states is not None:
            cross_caches = cache.cross_layers()
        for layer, one, cross in zip(self.encoder.layer, caches, cross_caches, strict=True):
            if hidden is not None:
                hidden.append(x)
            x = layer(x, mask, one, encoder_hidden_states, cross_mask, cross)
        if cache is not None:
            cache.advance(new)
        return BaseModelOutputWithPoolingAndCrossAttentions(
            last_hidden_state=x,
            pooler_output=None if self.pooler is None else self.pooler(x),
            past_key_values=cache,
            hidden_states=None if hidden is None else (*hidden, x),
            attentions=None if weights is None else tuple(weights),
            cross_attentions=tuple(cross_weights) if cross_weights else None,
        )

    def _refuse_what_only_decoders_take(self, encoded: Tensor | None, cache: Cache | None) -> None:
        if cache is not None and not self.config.is_decoder:
            raise ValueError("this BERT is an encoder and has no cache: set is_decoder=True in its configuration")
        if encoded is not None and not self.config.add_cross_attention:
            raise ValueError(
                "encoder_hidden_states are given and this BERT does not look at an encoder: set is_decoder=True and "
                "add_cross_attention=True in its configuration"
            )
