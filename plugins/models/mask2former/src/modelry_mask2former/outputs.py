"""What Mask2Former returns. No torch is imported here.

B images   Q queries   D width of the queries   K classes   H heads   C channels   G, K' rows and columns of a map
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelry.outputs import ModelOutput

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Mask2FormerModelOutput(ModelOutput):
    """States of the backbone, the pixel decoder and the queries."""

    encoder_last_hidden_state: Tensor | None = None
    """The backbone's coarsest map, (B, C, G, K')."""
    pixel_decoder_last_hidden_state: Tensor | None = None
    """What masks are products of, (B, C, G, K'), the finest map."""
    transformer_decoder_last_hidden_state: Tensor | None = None
    """(B, Q, D), without a norm."""
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    """The backbone's maps, the finest first."""
    pixel_decoder_hidden_states: tuple[Tensor, ...] | None = None
    """The maps that the queries look at, the coarsest first."""
    transformer_decoder_hidden_states: tuple[Tensor, ...] | None = None
    """(Q, B, D) before each layer and after the last."""
    transformer_decoder_intermediate_states: tuple[Tensor, ...] | None = None
    """The same, normalised: what predictions are made of."""
    masks_queries_logits: tuple[Tensor, ...] | None = None
    """(B, Q, G, K') before the first layer and after each."""
    attentions: tuple[Tensor, ...] | None = None
    """Weights of the queries' attention to each other, (B, H, Q, Q) of each layer."""


@dataclass
class Mask2FormerForUniversalSegmentationOutput(ModelOutput):
    """A mask and a class for each query; an image processor makes segments of them."""

    loss: Tensor | None = None
    class_queries_logits: Tensor | None = None
    """(B, Q, K + 1), the last for "nothing"."""
    masks_queries_logits: Tensor | None = None
    """(B, Q, G, K')."""
    auxiliary_logits: list[dict[str, Tensor]] | None = None
    """Both of the queries before the first layer and after each but the last."""
    encoder_last_hidden_state: Tensor | None = None
    pixel_decoder_last_hidden_state: Tensor | None = None
    transformer_decoder_last_hidden_state: Tensor | None = None
    encoder_hidden_states: tuple[Tensor, ...] | None = None
    pixel_decoder_hidden_states: tuple[Tensor, ...] | None = None
    transformer_decoder_hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
