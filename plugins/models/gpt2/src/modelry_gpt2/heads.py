"""The heads of GPT-2: the generic ones, and the one that scores next tokens and whole continuations at once.

B rows   N continuations of each   T positions   V vocabulary   D n_embd   C labels
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from modelry.cache import Cache
from modelry.heads import CausalLM, QuestionAnswering, SequenceClassification, TokenClassification
from modelry.heads.losses import cross_entropy, next_token_loss
from modelry.model import PreTrainedModel
from modelry.nn.activations import activation
from modelry.nn.linear import Linear
from modelry.outputs import ModelOutput
from modelry_gpt2.configuration import GPT2Config
from modelry_gpt2.modeling import GPT2Model

TIED = {"lm_head.weight": "transformer.wte.weight"}


class GPT2LMHeadModel(CausalLM):
    """GPT-2 that scores the next token."""

    base_class = GPT2Model
    base_model_prefix = "transformer"
    tied_weights = TIED


class GPT2ForSequenceClassification(SequenceClassification):
    """GPT-2 that gives a whole text its labels."""

    base_class = GPT2Model
    base_model_prefix = "transformer"


class GPT2ForTokenClassification(TokenClassification):
    """GPT-2 that gives every token its labels."""

    base_class = GPT2Model
    base_model_prefix = "transformer"
    head_name = "classifier"


class GPT2ForQuestionAnswering(QuestionAnswering):
    """GPT-2 that finds an answer in a text."""

    base_class = GPT2Model
    base_model_prefix = "transformer"


@dataclass
class GPT2DoubleHeadsModelOutput(ModelOutput):
    """Scores of next tokens and of whole continuations."""

    loss: Tensor | None = None
    mc_loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, N, T, V)."""
    mc_logits: Tensor | None = None
    """(B, N)."""
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


class SequenceSummary(nn.Module):
    """One vector, or score, of a whole text: what the `summary_...` keys say."""

    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.kind = config.summary_type
        wide = config.num_labels if config.summary_proj_to_labels else config.n_embd
        self.summary = Linear(config.n_embd, wide) if config.summary_use_proj else nn.Identity()
        self.act = None if config.summary_activation is None else activation(config.summary_activation)
        self.first_dropout = nn.Dropout(config.summary_first_dropout)
        self.last_dropout = nn.Dropout(config.summary_last_dropout)

    def forward(self, hidden: Tensor, places: Tensor | None) -> Tensor:
        """(..., T, D) to (..., C) or (..., D); with "cls_index" from tokens `places`, (...) int64, None: the last."""
        match self.kind:
            case "first":
                found = hidden.select(-2, 0)
            case "mean":
                found = hidden.mean(dim=-2)
            case "cls_index" if places is not None:
                found = hidden.gather(-2, places[..., None, None].expand(*places.shape, 1, hidden.shape[-1]))
                found = found.squeeze(-2)
            case _:
                found = hidden.select(-2, -1)
        scores = self.summary(self.first_dropout(found))
        out: Tensor = self.last_dropout(scores if self.act is None else self.act(scores))
        return out


class GPT2DoubleHeadsModel(PreTrainedModel):
    """GPT-2 that scores the next token, and each of several continuations. It has one label, whatever its file says."""

    base_class = GPT2Model
    base_model_prefix = "transformer"
    tied_weights: ClassVar[Mapping[str, str]] = TIED

    def __init__(self, config: GPT2Config) -> None:
        config = config.model_copy()
        config.num_labels = 1
        super().__init__(config)
        self.transformer = GPT2Model(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
        self.multiple_choice_head = SequenceSummary(config)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        mc_token_ids: Tensor | None = None,
        labels: Tensor | None = None,
        mc_labels: Tensor | None = None,
        **more: Any,
    ) -> GPT2DoubleHeadsModelOutput:
        """Score next tokens and continuations.

        Args:
            input_ids: (B, N, T) int64, or (B, T); the masks and ids beside it alike. Or `inputs_embeds`, one longer.
            mc_token_ids: (B, N) int64, the token of each text that is classified; the last where None.
            labels: like input_ids; each position is compared with the next one's label, -100 does not count.
            mc_labels: (B,) int64, the number of the right continuation.
            more: and the others: those of the base model.
        """
        given = input_ids if inputs_embeds is None else inputs_embeds[..., 0]
        out = self.transformer(
            input_ids=_flat(input_ids),
            attention_mask=_flat(attention_mask),
            token_type_ids=_flat(token_type_ids),
            position_ids=_flat(position_ids),
            past_key_values=past_key_values,
            inputs_embeds=None if inputs_embeds is None else inputs_embeds.flatten(0, -3),
            **more,
        )
        hidden: Tensor = out.last_hidden_state
        if given is not None:
            hidden = hidden.view(*given.shape, -1)  # (B, N, T, D)
        logits = self.lm_head(hidden)
        scores: Tensor = self.multiple_choice_head(hidden, mc_token_ids).squeeze(-1)  # (B, N)
        loss = None if labels is None else next_token_loss(logits.flatten(0, -3), labels.flatten(0, -2))
        mc_loss = None if mc_labels is None else cross_entropy(scores.view(-1, scores.shape[-1]), mc_labels.view(-1))
        states = out.hidden_states
        if states is not None:
            states = (*states[:-1], hidden)
        return GPT2DoubleHeadsModelOutput(loss, mc_loss, logits, scores, out.past_key_values, states, out.attentions)


def _flat(values: Tensor | None) -> Tensor | None:
    """(B, N, T) to (B N, T)."""
    return None if values is None else values.flatten(0, -2)
