"""What models of images return. No torch is imported here.

B images   T tokens   D width   C labels   H, W height and width in pixels   G, K rows and columns of a feature map
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelry.outputs import ModelOutput

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class BackboneOutput(ModelOutput):
    """Feature maps of the stages that were asked for, the finest first."""

    feature_maps: tuple[Tensor, ...] | None = None
    """(B, D, G, K) each; D, G and K may differ from stage to stage."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class StagedModelOutput(ModelOutput):
    """Hidden states of a model whose stages are ever coarser."""

    last_hidden_state: Tensor | None = None
    """(B, T, D), after the last norm."""
    pooler_output: Tensor | None = None
    """(B, D)."""
    hidden_states: tuple[Tensor, ...] | None = None
    """(B, T, D): the embeddings, then the output of each stage."""
    attentions: tuple[Tensor, ...] | None = None
    reshaped_hidden_states: tuple[Tensor, ...] | None = None
    """The hidden states as maps, (B, D, G, K)."""


@dataclass
class ImageClassifierOutput(ModelOutput):
    """Scores of the labels of an image."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, C)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    reshaped_hidden_states: tuple[Tensor, ...] | None = None
    """Of a model with stages: the hidden states as maps, (B, D, G, K)."""


@dataclass
class MaskedImageModelingOutput(ModelOutput):
    """An image with its masked patches filled in."""

    loss: Tensor | None = None
    reconstruction: Tensor | None = None
    """(B, channels, H, W)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
    reshaped_hidden_states: tuple[Tensor, ...] | None = None
    """Of a model with stages: the hidden states as maps, (B, D, G, K)."""


@dataclass
class SemanticSegmenterOutput(ModelOutput):
    """Scores of the labels of each place of an image."""

    loss: Tensor | None = None
    logits: Tensor | None = None
    """(B, C, G, K), often coarser than the image."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None


@dataclass
class DepthEstimatorOutput(ModelOutput):
    """The distance of each pixel."""

    loss: Tensor | None = None
    predicted_depth: Tensor | None = None
    """(B, H, W)."""
    hidden_states: tuple[Tensor, ...] | None = None
    attentions: tuple[Tensor, ...] | None = None
