"""An architecture from outside: a recurrent language model without any part of modelry.nn, under names of its own.

B batch   T new positions   D n_wide   V n_words   L n_deep
"""

from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from modelry import ModelConfig, PreTrainedModel
from modelry.checkpoint.weight_table import Rename, Split, Transpose, WeightTable
from modelry.outputs import CausalLMOutputWithPast


class TidepoolConfig(ModelConfig):
    """Its published keys are its own; the standard names are properties."""

    model_type: Literal["tidepool"] = "tidepool"
    n_words: int = Field(gt=0)
    n_wide: int = Field(gt=0)
    n_deep: int = Field(gt=0)

    @property
    def vocab_size(self) -> int:
        return self.n_words

    @vocab_size.setter
    def vocab_size(self, count: int) -> None:
        self.n_words = count

    @property
    def hidden_size(self) -> int:
        return self.n_wide

    @property
    def num_hidden_layers(self) -> int:
        return self.n_deep


class Tides:
    """Its cache: one state for each layer, whatever was read."""

    can_rollback = False

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}
        self.seen = 0

    def get_seq_length(self) -> int:
        return self.seen

    def keep(self, rows: Tensor) -> None:
        self.states = {number: state[rows] for number, state in self.states.items()}

    def rollback(self, count: int) -> None:
        raise ValueError(f"cannot roll back {count} positions: a tide does not turn")


class Pool(nn.Module):
    """h = keep h + (1 - keep) tanh(into x), and on top of x: out h. A padded position leaves h as it is."""

    def __init__(self, wide: int) -> None:
        super().__init__()
        self.into = nn.Linear(wide, wide)
        self.gate = nn.Linear(wide, wide)
        self.out = nn.Linear(wide, wide, bias=False)

    def forward(self, x: Tensor, real: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        new, keep = self.into(x).tanh(), self.gate(x).sigmoid()  # (B, T, D)
        heights = []
        for place in range(x.shape[1]):
            risen = keep[:, place] * h + (1 - keep[:, place]) * new[:, place]
            h = torch.where(real[:, place, None], risen, h)  # (B, D)
            heights.append(h)
        return x + self.out(torch.stack(heights, dim=1)), h


class TidepoolSpeaker(PreTrainedModel):
    """Ids in, scores of the next word out; there is no base model."""

    config_class = TidepoolConfig
    base_model_prefix = "none"
    input_embeddings_name = "words"
    output_embeddings_name = "say"
    weight_table = WeightTable(
        Rename("vocabulary", "words.weight"),
        Transpose("voice", "say.weight"),
        Split("pool.{i}.in_and_gate", ("pools.{i}.into.weight", "pools.{i}.gate.weight"), transposed=True),
        Split("pool.{i}.in_and_gate_bias", ("pools.{i}.into.bias", "pools.{i}.gate.bias")),
        Rename("pool.{i}.out", "pools.{i}.out.weight"),
    )

    def __init__(self, config: TidepoolConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(config.n_words, config.n_wide)
        self.pools = nn.ModuleList(Pool(config.n_wide) for _ in range(config.n_deep))
        self.say = nn.Linear(config.n_wide, config.n_words, bias=False)

    def make_cache(self, **_: Any) -> Tides:
        return Tides()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Tides | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        logits_to_keep: int = 0,
    ) -> CausalLMOutputWithPast:
        x = self.words(input_ids) if inputs_embeds is None else inputs_embeds  # (B, T, D)
        rows, new, wide = x.shape
        cache = Tides() if past_key_values is None and use_cache else past_key_values
        everything = x.new_ones(rows, new, dtype=torch.bool)
        real = everything if attention_mask is None else attention_mask[:, -new:].bool()
        states = [x]
        for number, pool in enumerate(self.pools):
            held = None if cache is None else cache.states.get(number)
            x, h = pool(x, real, x.new_zeros(rows, wide) if held is None else held)
            states.append(x)
            if cache is not None:
                cache.states[number] = h
        if cache is not None:
            cache.seen += new
        logits = self.say(x[:, -logits_to_keep:] if logits_to_keep else x)  # (B, T, V)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return CausalLMOutputWithPast(loss, logits, cache, tuple(states) if output_hidden_states else None)
