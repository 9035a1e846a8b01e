"""What DETR's models return. No torch is imported here.

B images   Q queries   K classes   D width   L decoder layers   S places of the feature map   H heads
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelry.outputs import ModelOutput

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class DetrModelOutput(ModelOutput):
    """Hidden states of the encoder's places and of the decoder's queries."""

    last_hidden_state: Tensor | None = None
    """(B, Q, D)."""
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    """L of (B, H, Q, S)."""
    encoder_last_hidden_state: Tensor | None = None
    """(B, S, D)."""
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None
    intermediate_hidden_states: Tensor | None = None
    """(L, B, Q, D), normalised; with config.auxiliary_loss."""


@dataclass
class DetrObjectDetectionOutput(ModelOutput):
    """A class and a box for each query."""

    loss: Tensor | None = None
    loss_dict: dict[str, Tensor] | None = None
    """The parts of the loss, by name."""
    logits: Tensor | None = None
    """(B, Q, K + 1), the last one for "nothing"."""
    pred_boxes: Tensor | None = None
    """(B, Q, 4): centre x, centre y, width, height, as parts of the image."""
    auxiliary_outputs: list[dict[str, Any]] | None = None
    """logits and pred_boxes of each decoder layer but the last; with labels and config.auxiliary_loss."""
    last_hidden_state: Tensor | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    encoder_last_hidden_state: Tensor | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None


@dataclass
class DetrSegmentationOutput(ModelOutput):
    """A class, a box and a mask for each query."""

    loss: Tensor | None = None
    loss_dict: dict[str, Tensor] | None = None
    logits: Tensor | None = None
    pred_boxes: Tensor | None = None
    pred_masks: Tensor | None = None
    """(B, Q, a quarter of the height, a quarter of the width), before the sigmoid."""
    auxiliary_outputs: list[dict[str, Any]] | None = None
    last_hidden_state: Tensor | None = None
    decoder_hidden_states: tuple[Tensor, ...] | None = None
    decoder_attentions: tuple[Tensor, ...] | None = None
    cross_attentions: tuple[Tensor, ...] | None = None
    encoder_last_hidden_state: Tensor | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    encoder_attentions: tuple[Tensor, ...] | None = None
