"""What models that compare images with texts return. No torch is imported here.

B images   M texts   P width of the space that both are compared in
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelry.outputs import BaseModelOutputWithPooling, ModelOutput

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class ImageTextOutput(ModelOutput):
    """How well each image and each text go together."""

    loss: Tensor | None = None
    logits_per_image: Tensor | None = None
    """(B, M)."""
    logits_per_text: Tensor | None = None
    """(M, B)."""
    text_embeds: Tensor | None = None
    """(M, P), of length one."""
    image_embeds: Tensor | None = None
    """(B, P), of length one."""
    text_model_output: BaseModelOutputWithPooling | None = None
    vision_model_output: BaseModelOutputWithPooling | None = None


@dataclass
class TextEmbedsOutput(ModelOutput):
    """Texts in the space that they share with images."""

    text_embeds: Tensor | None = None
    """(M, P)."""
    last_hidden_state: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class ImageEmbedsOutput(ModelOutput):
    """Images in the space that they share with texts."""

    image_embeds: Tensor | None = None
    """(B, P)."""
    last_hidden_state: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
