"""What generate() returns when more than ids is asked for.

R = prompts x sequences of each   P positions, prompt included   N generated tokens   V vocabulary
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from modelry.outputs import ModelOutput


@dataclass
class GenerateOutput(ModelOutput):
    """Sequences, and what was asked for beside them."""

    sequences: Tensor | None = None
    """(R, P + N) int64; rows that ended early go on with the pad token."""
    sequences_scores: Tensor | None = None
    """(R,) of strategies that compare whole sequences."""
    scores: tuple[Tensor, ...] | None = None
    """N times (R, V) float32, after the logits processors (output_scores)."""
    logits: tuple[Tensor, ...] | None = None
    """N times (R, V) float32, as the model said them (output_logits)."""
    beam_indices: Tensor | None = None
    """(R, N) row that each token came from, of beams."""
    attentions: tuple[tuple[Tensor, ...], ...] | None = None
    """For each forward pass, those of each layer (output_attentions)."""
    hidden_states: tuple[tuple[Tensor, ...], ...] | None = None
    """For each forward pass, those of each layer (output_hidden_states)."""
    encoder_attentions: tuple[Tensor, ...] | None = None
    """Of an encoder-decoder model: those of each layer of the encoder, a row for each prompt."""
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    """The like."""
    decoder_attentions: tuple[tuple[Tensor, ...], ...] | None = None
    """Of an encoder-decoder model, instead of `attentions`: the decoder among its own positions."""
    cross_attentions: tuple[tuple[Tensor, ...], ...] | None = None
    """The decoder to the encoder's positions."""
    decoder_hidden_states: tuple[tuple[Tensor, ...], ...] | None = None
    """Of an encoder-decoder model, instead of `hidden_states`."""
    past_key_values: Any = None
    """What the model remembers: give it to the next call with the sequences and a new turn."""
    statistics: dict[str, float] | None = None
    """What a strategy counts, as the share of accepted drafts."""


GenerateDecoderOnlyOutput = GenerateOutput
GenerateEncoderDecoderOutput = GenerateOutput
GenerateBeamDecoderOnlyOutput = GenerateOutput
GenerateBeamEncoderDecoderOutput = GenerateOutput
