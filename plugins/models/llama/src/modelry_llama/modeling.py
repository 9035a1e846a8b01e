"""Llama: token ids in, hidden states out. No devices, sampling, sharding or files here.

B batch   T new positions   S all positions, cached ones included   W keys that a layer attends to, S or a little more
D hidden_size   H query heads   K key/value heads   E head width   F intermediate_size   V vocabulary
Papers: https://arxiv.org/abs/2302.13971 (Llama), https://arxiv.org/abs/2307.09288 (Llama 2).
"""

from torch import Tensor, nn

from modelry.cache import Cache, LayerCache
from modelry.heads import CausalLM, QuestionAnswering, SequenceClassification, TokenClassification
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.attention import Attend, merge_heads, rotated_heads
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, causal_mask
from modelry.nn.mlp import GatedMLP
from modelry.nn.norm import RMSNorm
from modelry.nn.positions import count_positions
from modelry.nn.rope import Angles, RotaryEmbedding
from modelry.nn.sdpa import sdpa_attention
from modelry.outputs import BaseModelOutputWithPast
from modelry_llama.configuration import LlamaConfig


class LlamaAttention(nn.Module):
    """Grouped-query attention (https://arxiv.org/abs/2305.13245): K heads serve H queries."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.num_attention_heads, config.num_key_value_heads
        self.scale = config.head_dim**-0.5
        self.dropout = config.attention_dropout
        self.attend: Attend = sdpa_attention
        queries, keys = self.heads * config.head_dim, self.kv_heads * config.head_dim
        self.q_proj = Linear(config.hidden_size, queries, bias=config.attention_bias)
        self.k_proj = Linear(config.hidden_size, keys, bias=config.attention_bias)
        self.v_proj = Linear(config.hidden_size, keys, bias=config.attention_bias)
        self.o_proj = Linear(queries, config.hidden_size, bias=config.attention_bias)

    def forward(self, x: Tensor, angles: Angles, mask: Mask, cache: LayerCache | None) -> Tensor:
        layers = (self.q_proj, self.k_proj, self.v_proj)
        q, k, v = rotated_heads(x, layers, angles, heads=self.heads, kv_heads=self.kv_heads)  # (B, H or K, T, E)
        if cache is not None:
            k, v = cache.extend(k, v)  # (B, K, W, E)
        dropout = self.dropout if self.training else 0.0
        mixed = self.attend(q, k, v, mask, scale=self.scale, dropout=dropout)  # (B, H, T, E)
        out: Tensor = self.o_proj(merge_heads(mixed))  # (B, T, D)
        return out


class LlamaDecoderLayer(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream."""

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__()
        self.self_attn = LlamaAttention(config)
        self.mlp = GatedMLP(
            config.hidden_size, config.intermediate_size, act=activation(config.hidden_act), bias=config.mlp_bias
        )
        self.input_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, x: Tensor, angles: Angles, mask: Mask, cache: LayerCache | None) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), angles, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x))


class LlamaModel(PreTrainedModel):
    """Embeddings, layers and the last norm."""

    config_class = LlamaConfig
    reads_packed = True

    def __init__(self, config: LlamaConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList(LlamaDecoderLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.rotary_emb = RotaryEmbedding(
            config.rope_parameters, head_width=config.head_dim, max_positions=config.max_position_embeddings
        )

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
    ) -> BaseModelOutputWithPast:
        """Run the T new positions.

        Args:
            input_ids: (B, T) int64; or `inputs_embeds`, (B, T, D).
            attention_mask: (B, S), 1 for real tokens and 0 for padding; None where nothing is padded.
            position_ids: (B, T); counted from each row's first real token when None.
            past_key_values: what came before; extended by T.
            use_cache: return a cache, a new one where none is given. When None, as the configuration says, but not
                in training.
            output_hidden_states: also return the residual stream, (B, T, D), before each layer and at the end.
            output_attentions: also return each layer's weights, (B, H, T, W); needs the eager attention.

        Raises:
            ValueError: not exactly one of input_ids and inputs_embeds, or a mask of another shape.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give either input_ids or inputs_embeds, and not both")
        x: Tensor = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds  # (B, T, D)
        cache, new = past_key_values, x.shape[1]
        if cache is None and (use_cache or (use_cache is None and self.config.use_cache and not self.training)):
            cache = self.make_cache()
        seen = 0 if cache is None else cache.seen
        if position_ids is None:
            position_ids = count_positions(attention_mask, new=new, seen=seen, device=x.device)
        weights: list[Tensor] | None = [] if output_attentions or self.config.output_attentions else None
        hidden: list[Tensor] | None = [] if output_hidden_states or self.config.output_hidden_states else None
        width = new if cache is None else cache.width_after(new)
        mask = causal_mask(attention_mask, new=new, seen=seen, width=width, device=x.device, weights=weights)
        angles = self.rotary_emb(position_ids, x.dtype)
        for layer, layer_cache in zip(self.layers, [None] * len(self.layers) if cache is None else cache, strict=True):
            if hidden is not None:
                hidden.append(x)
            x = layer(x, angles, mask, layer_cache)
        x = self.norm(x)
        if cache is not None:
            cache.advance(new)
        return BaseModelOutputWithPast(
            last_hidden_state=x,
            past_key_values=cache,
            hidden_states=None if hidden is None else (*hidden, x),
            attentions=None if weights is None else tuple(weights),
        )


class LlamaForCausalLM(CausalLM):
    """Llama that scores the next token."""

    base_class = LlamaModel


class LlamaForSequenceClassification(SequenceClassification):
    """Llama that gives a whole text its labels."""

    base_class = LlamaModel


class LlamaForTokenClassification(TokenClassification):
    """Llama that gives every token its labels."""

    base_class = LlamaModel


class LlamaForQuestionAnswering(QuestionAnswering):
    """Llama that finds an answer in a text. Published checkpoints call its base model `transformer`."""

    base_class = LlamaModel
    base_model_prefix = "transformer"
