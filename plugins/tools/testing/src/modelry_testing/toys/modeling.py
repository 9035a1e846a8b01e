"""The toy language model: small enough to enumerate what it can say, and whole enough to load, cache, pad and train.

B batch   T new positions   S all positions, cached ones included   D width   H heads   E head width
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry import Cache, PreTrainedModel
from modelry.cache import LayerCache
from modelry.heads import CausalLM, QuestionAnswering, SequenceClassification, TokenClassification
from modelry.nn.attention import Attend, merge_heads, split_heads
from modelry.nn.masks import Mask, causal_mask
from modelry.nn.positions import count_positions
from modelry.nn.sdpa import sdpa_attention
from modelry.outputs import BaseModelOutputWithPast
from modelry_testing.toys.configuration import ToyConfig


class ToyLayer(nn.Module):
    """Attention, then two linear layers, each on top of what came before."""

    attend: Attend

    def __init__(self, config: ToyConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.scale = (config.hidden_size // self.heads) ** -0.5
        self.attend = sdpa_attention
        self.norm = nn.LayerNorm(config.hidden_size)
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.k_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size)
        self.up_proj = nn.Linear(config.hidden_size, 2 * config.hidden_size)
        self.down_proj = nn.Linear(2 * config.hidden_size, config.hidden_size)

    def forward(self, x: Tensor, mask: Mask, cache: LayerCache | None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        normed = self.norm(x)
        q = split_heads(self.q_proj(normed), self.heads)  # (B, H, T, E)
        k = split_heads(self.k_proj(normed), self.heads)
        v = split_heads(self.v_proj(normed), self.heads)
        if cache is not None:
            k, v = cache.extend(k, v)  # (B, H, S or more, E)
        x = x + self.o_proj(merge_heads(self.attend(q, k, v, mask, scale=self.scale)))
        down: Tensor = self.down_proj(F.gelu(self.up_proj(x)))
        return x + down


class ToyModel(PreTrainedModel):
    """Token ids in, hidden states out."""

    config_class = ToyConfig

    def __init__(self, config: ToyConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.embed_positions = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.layers = nn.ModuleList(ToyLayer(config) for _ in range(config.num_hidden_layers))
        self.norm = nn.LayerNorm(config.hidden_size)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> BaseModelOutputWithPast:
        """The ecosystem's arguments; ids (B, T) or embeddings (B, T, D)."""
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        cache = self.make_cache() if use_cache and past_key_values is None else past_key_values
        new, seen, device = x.shape[1], 0 if cache is None else cache.seen, x.device
        if position_ids is None:
            position_ids = count_positions(attention_mask, new=new, seen=seen, device=device)
        weights: list[Tensor] | None = [] if output_attentions else None
        width = None if cache is None else cache.width_after(new)
        mask = causal_mask(attention_mask, new=new, seen=seen, width=width, device=device, weights=weights)
        x = x + self.embed_positions(position_ids)
        states = [x]
        for number, layer in enumerate(self.layers):
            x = layer(x, mask, None if cache is None else cache.layers[number])
            states.append(x)
        if cache is not None:
            cache.advance(new)
        states[-1] = x = self.norm(x)
        return BaseModelOutputWithPast(
            last_hidden_state=x,
            past_key_values=cache,
            hidden_states=tuple(states) if output_hidden_states else None,
            attentions=None if weights is None else tuple(weights),
        )


class ToyForCausalLM(CausalLM):
    """Scores of the next token."""

    base_class = ToyModel


class ToyForSequenceClassification(SequenceClassification):
    """Scores of a label for the whole text."""

    base_class = ToyModel


class ToyForTokenClassification(TokenClassification):
    """Scores of a label for each token."""

    base_class = ToyModel


class ToyForQuestionAnswering(QuestionAnswering):
    """Scores of each token to begin and to end the answer."""

    base_class = ToyModel


def scaled_logits(model: ToyForCausalLM, factor: float) -> ToyForCausalLM:
    """Make the model surer of what it says: its logits times `factor`."""
    with torch.no_grad():
        model.lm_head.weight.mul_(factor)
    return model
