"""What a forward pass returns: small typed records with attribute, key and tuple access. No torch is imported here.

B batch   T new positions   S all positions   V vocabulary   D hidden width   L layers   C labels
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from modelry.cache import Cache

KINDS: list[type[ModelOutput]] = []
"""All classes of outputs, in the order of their definition."""
LISTENERS: list[Callable[[type[ModelOutput]], None]] = []
"""What is called with each class that is defined from then on."""


@dataclass
class ModelOutput:
    """A record whose absent values are None.

    `out.logits`, `out["logits"]` and `out[1]` name the same thing. Keys, length, positions and slices count present
    values only, in the order of declaration, so `out[0]` is the loss if there is one and the logits otherwise.
    Iteration yields keys, so that `dict(out)` and `**out` work.
    """

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        KINDS.append(cls)
        for tell in LISTENERS:
            tell(cls)

    def keys(self) -> tuple[str, ...]:
        """Names of the values that are present."""
        return tuple(name for name in self.__dataclass_fields__ if getattr(self, name) is not None)

    def values(self) -> tuple[Any, ...]:
        """The values that are present."""
        return tuple(getattr(self, name) for name in self.keys())

    to_tuple = values

    def items(self) -> tuple[tuple[str, Any], ...]:
        """Pairs of name and value, the present ones."""
        return tuple((name, getattr(self, name)) for name in self.keys())

    def get(self, key: str, default: Any = None) -> Any:
        """The value of that name, or `default` where it is absent."""
        return getattr(self, key) if key in self.keys() else default

    def __getitem__(self, key: str | int | slice) -> Any:
        if not isinstance(key, str):
            return self.values()[key]
        if key not in self.keys():
            raise KeyError(f"{type(self).__name__} has no {key!r}; it has {', '.join(self.keys()) or 'nothing'}")
        return getattr(self, key)

    def __contains__(self, key: object) -> bool:
        return key in self.keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())


@dataclass
class BaseModelOutput(ModelOutput):
    """Hidden states of a model without a cache."""

    last_hidden_state: Tensor | None = None
    """(B, T, D), after the last norm."""
    hidden_states: tuple[Tensor, ...] | None = None
    """L + 1 of (B, T, D): the embeddings, then each layer's output, the last one after the last norm."""
    attentions: tuple[Tensor, ...] | None = None
    """L of (B, H, T, S): attention weights after the softmax."""


@dataclass
class BaseModelOutputWithPast(ModelOutput):
    """Hidden states of a decoder."""

    last_hidden_state: Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class BaseModelOutputWithPastAndCrossAttentions(ModelOutput):
    """Hidden states of a decoder that also looks at an encoder's output."""

    last_hidden_state: Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    """L of (B, H, T, S'), S' positions of the encoder's output."""


@dataclass
class BaseModelOutputWithPooling(ModelOutput):
    """Hidden states of an encoder and one vector for the whole input."""

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    """(B, D)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class BaseModelOutputWithPoolingAndCrossAttentions(ModelOutput):
    """Hidden states of a model that is an encoder with a vector for the whole input, or a decoder."""

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    """(B, D)."""
    hidden_states: tuple[Tensor, ...] | None = None
    past_key_values: Cache | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass
class CausalLMOutput(ModelOutput):
    """Scores of the next token, without a cache."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, T, V), or as many of the last positions as were asked for."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class CausalLMOutputWithPast(ModelOutput):
    """Scores of the next token."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, T, V), or as many of the last positions as were asked for."""
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class CausalLMOutputWithCrossAttentions(ModelOutput):
    """Scores of the next token, from a decoder that may look at an encoder's output."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, T, V), or as many of the last positions as were asked for."""
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None


@dataclass
class MoeModelOutputWithPast(ModelOutput):
    """Hidden states of a decoder with mixtures of experts."""

    last_hidden_state: Tensor | None = None
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    router_logits: tuple[Tensor, ...] | None = None
    """One (B T, X) for each router, X experts."""


@dataclass
class MoeCausalLMOutputWithPast(ModelOutput):
    """Scores of the next token, from a decoder with mixtures of experts."""

    loss: Tensor | None = None
    aux_loss: Tensor | None = None
    """How unevenly tokens fall to experts."""
    logits: Tensor | None = None
    """(B, T, V), or as many of the last positions as were asked for."""
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    router_logits: tuple[Tensor, ...] | None = None


@dataclass
class MaskedLMOutput(ModelOutput):
    """Scores of the token at each position."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, T, V)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class SequenceClassifierOutput(ModelOutput):
    """Scores of the labels of a whole input."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, C)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class SequenceClassifierOutputWithPast(ModelOutput):
    """Scores of the labels of a whole input, from a decoder."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, C)."""
    past_key_values: Cache | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class NextSentencePredictorOutput(ModelOutput):
    """Scores of one text following another, and of it not following."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, 2)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class MultipleChoiceModelOutput(ModelOutput):
    """Scores of several continuations."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, N), N choices."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class TokenClassifierOutput(ModelOutput):
    """Scores of the labels of every token."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, T, C)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class QuestionAnsweringOutput(ModelOutput):
    """Scores of the first and the last token of an answer."""

    loss: Tensor | None = None
    start_logits: Tensor | None = None
    """(B, T)."""
    end_logits: Tensor | None = None
    """(B, T)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


QuestionAnsweringModelOutput = QuestionAnsweringOutput
"""The ecosystem's name of it."""


@dataclass
class Seq2SeqModelOutput(ModelOutput):
    """Hidden states of an encoder and of the decoder that looks at them."""

    last_hidden_state: Tensor | None = None
    """(B, T, D) of the decoder."""
    past_key_values: Cache | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    """L of (B, H, T, S'), S' positions of the encoder's output."""
    encoder_last_hidden_state: Tensor | None = None
    """(B, S', D)."""
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None


@dataclass
class Seq2SeqLMOutput(ModelOutput):
    """Scores of the next token of an answer to an encoder's input."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, T, V), or as many of the last positions as were asked for."""
    past_key_values: Cache | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    encoder_last_hidden_state: Tensor | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None


@dataclass
class Seq2SeqSequenceClassifierOutput(ModelOutput):
    """Scores of the labels of a whole input, from an encoder-decoder."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, C)."""
    past_key_values: Cache | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    encoder_last_hidden_state: Tensor | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None


@dataclass
class Seq2SeqQuestionAnsweringModelOutput(ModelOutput):
    """Scores of the first and the last token of an answer, from an encoder-decoder."""

    loss: Tensor | None = None
    start_logits: Tensor | None = None
    """(B, T)."""
    end_logits: Tensor | None = None
    """(B, T)."""
    past_key_values: Cache | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    encoder_last_hidden_state: Tensor | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None
