"""DoLa: one token at a time, scored by what the last layer adds to an early one.

An early exit is the hidden state of a layer, not normalised, through the output embedding, as the authors have it.
The contrast comes before all logits processors; `logits` in a record stay those of the model.

R rows   V vocabulary   J candidate layers   D width of a hidden state
"""

from typing import Literal, Self, final

import torch
from pydantic import Field, NonNegativeInt, model_validator
from torch import Tensor, nn

from modelry.errors import GenerationError
from modelry.generation.choosing import draw, likeliest
from modelry.generation.parameters import DecoderParameters
from modelry.generation.processors import LogitsProcessor
from modelry.generation.session import Session
from modelry_dola.contrast import contrast
from modelry_dola.layers import premature_layers


class DolaParameters(DecoderParameters):
    """The paper advises "high" for short answers, "low" for reasoning at length, and repetition_penalty=1.2."""

    strategy_name = "dola"

    dola_layers: Literal["low", "high"] | list[NonNegativeInt] = Field("low", description="to contrast with")
    do_sample: bool = Field(False, description="draw at random; else take the token with the highest score")
    num_return_sequences: int = Field(1, gt=0, description="texts for each prompt")
    num_beams: int = Field(1, description="must be 1")

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if self.num_beams != 1:
            raise ValueError(f"num_beams={self.num_beams}: dola follows one text at a time; set num_beams=1")
        if self.num_return_sequences > 1 and not self.do_sample:
            raise ValueError(
                f"num_return_sequences={self.num_return_sequences} gives one text as many times; set do_sample=True"
            )
        return self


@final
class LayerContrast(LogitsProcessor):
    """Replaces the last layer's scores by their contrast with the early layers of the same pass."""

    def __init__(self, session: Session, head: nn.Module, layers: tuple[int, ...]) -> None:
        self._session, self._head, self._layers = session, head, layers

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """(R, V) logits to (R, V) contrasts."""
        dtype = self._session.hidden_states().dtype  # a residual stream may be wider than the head
        states = [self._session.hidden_states(layer)[:, -1].to(dtype) for layer in self._layers]
        early = torch.stack([self._head(state).to(scores.device) for state in states], dim=1)  # (R, J, V)
        # The first pass reads a prompt once for all its copies.
        return contrast(scores, early.repeat_interleave(scores.shape[0] // early.shape[0], dim=0))


def decode(session: Session, parameters: DolaParameters) -> None:
    """Continue every row until all are finished."""
    session.settings.processors.insert(0, _contrast_of(session, parameters))
    logits = session.start(copies=parameters.num_return_sequences, hidden_states=True)  # (R, 1, V)
    while True:
        scores = session.scores(logits[:, -1])  # (R, V)
        session.emit(draw(scores, at=session.random()) if parameters.do_sample else likeliest(scores))
        if session.done:
            return
        session.drop_finished()
        logits = session.step(session.last[:, None])


def _contrast_of(session: Session, parameters: DolaParameters) -> LayerContrast:
    """Check the layers against the model.

    Raises:
        GenerationError: the model has an encoder, no output embedding, or not these layers.
    """
    model = session.model
    if model.config.is_encoder_decoder:
        raise GenerationError(
            f"dola contrasts the layers of a decoder-only model, and {type(model).__name__} is an encoder-decoder; "
            "leave dola_layers out"
        )
    head: nn.Module | None = model.get_output_embeddings()
    if head is None:
        raise GenerationError(f"{type(model).__name__} has no output embedding, through which dola lets layers exit")
    config = model.config.get_text_config()
    tied = model.config.tie_word_embeddings
    layers = premature_layers(parameters.dola_layers, count=config.num_hidden_layers, tied=tied)
    return LayerContrast(session, head, layers)
