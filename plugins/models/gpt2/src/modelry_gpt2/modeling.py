"""GPT-2: token ids in, hidden states out; published matrices are stored as (inputs, outputs). No heads here.

B batch   T new positions   S all positions, cached ones included   X positions of an encoder's output
D n_embd   H heads   E head width   F width inside the MLP
Paper: https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf.
"""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from modelry.cache import Cache, CrossLayerCache, LayerCache
from modelry.checkpoint.weight_table import Ignore, Transpose, WeightTable
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.attention import Attend, joint_heads, merge_heads, split_heads
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, bidirectional_mask, causal_mask
from modelry.nn.positions import count_positions, row_positions
from modelry.nn.sdpa import sdpa_attention
from modelry.nn.texts import numbered_texts
from modelry.outputs import BaseModelOutputWithPastAndCrossAttentions
from modelry_gpt2.configuration import GPT2Config


class OntoStream(Linear):
    """Projects onto the residual stream; starts the smaller the more layers there are."""


class GPT2Attention(nn.Module):
    """Attention of H heads to itself. What is projected together is one matrix.

    Args:
        number: of the layer.
        parts: how many of queries, keys and values `c_attn` gives.
    """

    weight_table = WeightTable(
        Transpose("c_attn.weight", "c_attn.weight"),
        Transpose("c_proj.weight", "c_proj.weight"),
        Ignore("bias"),  # of the first files: the triangle of a causal mask, and what stood outside
        Ignore("masked_bias"),
    )

    def __init__(self, config: GPT2Config, number: int, *, parts: int = 3) -> None:
        super().__init__()
        size = config.n_embd
        self.config, self.heads = config, config.n_head
        self.scale = (size // config.n_head) ** -0.5 if config.scale_attn_weights else 1.0
        if config.scale_attn_by_inverse_layer_idx:
            self.scale /= number + 1
        self.attend: Attend = sdpa_attention
        self.c_attn = Linear(size, parts * size)
        self.c_proj = OntoStream(size, size)
        self.resid_dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor, mask: Mask, cache: LayerCache | None) -> Tensor:
        q, k, v = joint_heads(self.c_attn(x), heads=self.heads)  # (B, H, T, E) each
        if cache is not None:
            k, v = cache.extend(k, v)
        return self.mix(q, k, v, mask)

    def mix(self, q: Tensor, k: Tensor, v: Tensor, mask: Mask) -> Tensor:
        """Attention of queries (B, H, T, E) to keys and values, back on the stream, (B, T, D)."""
        dtype, dropout = q.dtype, self.config.attn_pdrop if self.training else 0.0
        if self.config.reorder_and_upcast_attn:
            q, k, v = q.float(), k.float(), v.float()
        mixed = merge_heads(self.attend(q, k, v, mask, scale=self.scale, dropout=dropout).to(dtype))
        out: Tensor = self.resid_dropout(self.c_proj(mixed))
        return out


class GPT2CrossAttention(GPT2Attention):
    """The same to an encoder's output, whose keys and values are computed once for a text."""

    weight_table = WeightTable(
        *GPT2Attention.weight_table.rows,
        Transpose("q_attn.weight", "q_attn.weight"),
    )

    def __init__(self, config: GPT2Config, number: int) -> None:
        super().__init__(config, number, parts=2)
        self.q_attn = Linear(config.n_embd, config.n_embd)

    def look_at(self, encoded: Tensor, x: Tensor, mask: Mask, cache: CrossLayerCache | None) -> Tensor:
        """Attention of x (B, T, D) to (B, X, D)."""
        q = split_heads(self.q_attn(x), self.heads)
        if cache is not None and cache.keys is not None and cache.values is not None:
            return self.mix(q, cache.keys, cache.values, mask)
        k, v = (split_heads(one, self.heads) for one in self.c_attn(encoded).chunk(2, dim=-1))  # (B, H, X, E)
        if cache is not None:
            k, v = cache.store(k, v)
        return self.mix(q, k, v, mask)


class GPT2MLP(nn.Module):
    """Wider, a bend, and back."""

    weight_table = WeightTable(
        Transpose("c_fc.weight", "c_fc.weight"),
        Transpose("c_proj.weight", "c_proj.weight"),
    )

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        inner = 4 * config.n_embd if config.n_inner is None else config.n_inner
        self.config = config
        self.c_fc = Linear(config.n_embd, inner)
        self.c_proj = OntoStream(inner, config.n_embd)
        self.act = activation(config.activation_function)
        self.dropout = nn.Dropout(config.resid_pdrop)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.dropout(self.c_proj(self.act(self.c_fc(x))))  # (B, T, D)
        return out


class GPT2Block(nn.Module):
    """Attention, attention to an encoder where there is one, and the MLP, each on a normalised copy of the stream."""

    def __init__(self, config: GPT2Config, number: int) -> None:
        super().__init__()
        size, eps = config.n_embd, config.layer_norm_epsilon
        self.ln_1 = nn.LayerNorm(size, eps=eps)
        self.attn = GPT2Attention(config, number)
        self.ln_2 = nn.LayerNorm(size, eps=eps)
        if config.add_cross_attention:
            self.crossattention = GPT2CrossAttention(config, number)
            self.ln_cross_attn = nn.LayerNorm(size, eps=eps)
        self.mlp = GPT2MLP(config)

    def forward(
        self,
        x: Tensor,
        mask: Mask,
        cache: LayerCache | None,
        encoded: Tensor | None,
        cross_mask: Mask,
        cross_cache: CrossLayerCache | None,
    ) -> Tensor:
        x = x + self.attn(self.ln_1(x), mask, cache)
        if encoded is not None:
            x = x + self.crossattention.look_at(encoded, self.ln_cross_attn(x), cross_mask, cross_cache)
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class GPT2Model(PreTrainedModel):
    """Embeddings of tokens and places, layers and the last norm."""

    config_class = GPT2Config
    base_model_prefix = "transformer"
    input_embeddings_name = "wte"
    reads_packed = True

    def __init__(self, config: GPT2Config) -> None:
        super().__init__(config)
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.wpe = nn.Embedding(config.n_positions, config.n_embd)
        self.drop = nn.Dropout(config.embd_pdrop)
        self.h = nn.ModuleList(GPT2Block(config, number) for number in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)

    def init_weights(self, module: nn.Module) -> None:
        super().init_weights(module)
        if isinstance(module, OntoStream):
            module.weight.normal_(0.0, self.config.initializer_range * (2 * self.config.n_layer) ** -0.5)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPastAndCrossAttentions:
        """Run the T new positions.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            attention_mask: (B, S), 1 for real tokens and 0 for padding, or numbers of texts (`modelry.nn.texts`); None
                where nothing is padded.
            token_type_ids: (B, T), tokens whose embeddings are added.
            position_ids: (B, T); counted from each row's first real token when None.
            past_key_values: what came before; extended by T.
            encoder_hidden_states: (B, X, D), for a model with cross-attention.
            encoder_attention_mask: (B, X), 1 for real tokens.
            use_cache: return a cache. When None, as the configuration says, but not in training.
            output_hidden_states: also return the residual stream, (B, T, D), before each layer and at the end.
            output_attentions: also return each layer's weights, (B, H, T, S); needs the eager attention.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, more positions than the model has, a mask of
                another shape, or an encoder's output for a model without cross-attention.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds, and not both")
        config: GPT2Config = self.config
        if encoder_hidden_states is not None and not config.add_cross_attention:
            raise ValueError(
                "encoder_hidden_states are given and this GPT-2 looks at no encoder: set add_cross_attention=True"
            )
        words: Tensor = self.wte(input_ids) if inputs_embeds is None else inputs_embeds  # (B, T, D)
        cache, new, device = past_key_values, words.shape[1], words.device
        if cache is None and (use_cache or (use_cache is None and config.use_cache and not self.training)):
            cache = self.make_cache()
        seen = 0 if cache is None else cache.seen
        attention_mask = numbered_texts(
            attention_mask, position_ids, shape=(words.shape[0], new), seen=seen, device=device
        )
        if position_ids is None:
            position_ids = count_positions(attention_mask, new=new, seen=seen, device=device)
        x = words + self.wpe(row_positions(position_ids, new=new, limit=config.n_positions, device=device))
        if token_type_ids is not None:
            x = x + self.wte(token_type_ids)
        x = self.drop(x)
        weights: list[Tensor] | None = [] if output_attentions or config.output_attentions else None
        hidden: list[Tensor] | None = [] if output_hidden_states or config.output_hidden_states else None
        cross_weights: list[Tensor] | None = None if weights is None else []
        width = new if cache is None else cache.width_after(new)
        mask = causal_mask(attention_mask, new=new, seen=seen, width=width, device=device, weights=weights)
        cross_mask = bidirectional_mask(encoder_attention_mask, weights=cross_weights)
        nothing: Sequence[Any] = [None] * config.n_layer
        cross = cache.cross_layers() if cache is not None and encoder_hidden_states is not None else nothing
        for layer, one, other in zip(self.h, nothing if cache is None else cache.layers, cross, strict=True):
            if hidden is not None:
                hidden.append(x)
            x = layer(x, mask, one, encoder_hidden_states, cross_mask, other)
        x = self.ln_f(x)
        if cache is not None:
            cache.advance(new)
        return BaseModelOutputWithPastAndCrossAttentions(
            last_hidden_state=x,
            past_key_values=cache,
            hidden_states=None if hidden is None else (*hidden, x),
            attentions=None if weights is None else tuple(weights),
            cross_attentions=tuple(cross_weights) if cross_weights else None,
        )
