"""From a segmenter's outputs to one class for each pixel.

N images   Q queries   K classes   H height   W width
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from modelry.outputs import ModelOutput
from modelry.preprocessing.images.detection import image_sizes

MASK2FORMER_EXTENT = (384, 384)
"""Mask2Former's processor brings masks to this size before anything else, whatever the image's, as published."""
NUMBERS_AT_ONCE = 1 << 26
"""So many scores of pixels are in memory: a quarter of a gigabyte."""


def class_maps(
    outputs: Any, *, target_sizes: Any = None, with_scores: bool = False, as_predicted: bool = False
) -> list[Any]:
    """The likeliest class of each pixel.

    Args:
        outputs: logits (N, K, H, W) for each pixel (SegFormer, BEiT, DPT …), or masks with classes (DETR, Mask2Former).
        target_sizes: (height, width) of each image; None leaves the outputs' own.
        as_predicted: see `masks_and_classes`.
        with_scores: return the scores (K, H, W) beside each map.

    Returns:
        For each image a map (H, W); with_scores makes it an output of segmentation and segmentation_scores.
    """
    scores = _class_scores(outputs, as_predicted)
    sizes = image_sizes(target_sizes, len(scores))
    found: list[Any] = []
    for number, one in enumerate(scores):
        if sizes is not None and not with_scores:
            found.append(_likeliest(one, sizes[number]))
            continue
        if sizes is not None:
            one = _enlarged(one, sizes[number])
        classes = one.argmax(dim=0)
        found.append(_Segmentation(classes, one) if with_scores else classes)
    return found


def _enlarged(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Scores (K, ...) in the size of an image."""
    return interpolate(scores[None], size=size, mode="bilinear", align_corners=False)[0]


def _likeliest(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """The likeliest class of each pixel of a large image: some classes at once, all together would be gigabytes."""
    together = max(1, NUMBERS_AT_ONCE // (size[0] * size[1]))
    best, classes = _enlarged(scores[:together], size).max(dim=0)
    for first in range(together, len(scores), together):
        better, where = _enlarged(scores[first : first + together], size).max(dim=0)
        classes = torch.where(better > best, where + first, classes)
        best = torch.maximum(best, better)
    return classes


@dataclass
class _Segmentation(ModelOutput):
    """A map of classes, and the scores it comes from."""

    segmentation: Tensor
    segmentation_scores: Tensor


def masks_and_classes(outputs: Any, *, as_predicted: bool = False) -> tuple[Tensor, Tensor] | None:
    """Mask logits (N, Q, H, W) and class logits (N, Q, K + 1); None where outputs are for each pixel.

    Args:
        as_predicted: leave masks of Mask2Former in the size that the model gives them, as MaskFormer's processor does,
            which many of its published checkpoints name.
    """
    if "masks_queries_logits" in outputs:
        masks = outputs.masks_queries_logits
        if not as_predicted:
            masks = interpolate(masks, size=MASK2FORMER_EXTENT, mode="bilinear", align_corners=False)
        return masks, outputs.class_queries_logits
    if "pred_masks" in outputs:
        return outputs.pred_masks, outputs.logits
    return None


def _class_scores(outputs: Any, as_predicted: bool) -> Tensor:
    """(N, K, H, W). Masks are weighed by their classes' probabilities. Cheng et al. 2021, https://arxiv.org/abs/2107.06278."""
    found = masks_and_classes(outputs, as_predicted=as_predicted)
    if found is None:
        logits: Tensor = outputs.logits
        return logits
    masks, classes = found
    return torch.einsum("nqk,nqhw->nkhw", classes.softmax(-1)[..., :-1], masks.sigmoid())
