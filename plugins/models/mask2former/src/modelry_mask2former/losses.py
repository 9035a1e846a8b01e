"""What Mask2Former learns from: each object is answered for by one query, whose class and mask are held against it.

B images   Q queries   K classes   M objects   P places of a mask   G, L rows and columns of predicted masks
H, W of true masks, which may be of another size: places are parts of an image
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelry.heads.losses import dice_loss
from modelry.heads.matching import cheapest_pairs
from modelry_mask2former.configuration import Mask2FormerConfig

Pairs = tuple[Tensor, Tensor]
"""Numbers of queries and of the objects they answer for."""


class Prediction(NamedTuple):
    """What the queries say behind one layer."""

    masks: Tensor
    """(B, Q, G, L) scores."""
    classes: Tensor
    """(B, Q, K + 1) scores."""


class Mask2FormerLoss(nn.Module):
    """Cross entropy of classes, cross entropy and dice of masks at some places, summed over predictions."""

    empty_weight: Tensor

    def __init__(self, config: Mask2FormerConfig) -> None:
        super().__init__()
        self.no_object = config.no_object_weight
        self.weights = (config.class_weight, config.mask_weight, config.dice_weight)
        self.points = config.train_num_points
        self.drawn = int(config.train_num_points * config.oversample_ratio)
        self.unsure = int(config.importance_sample_ratio * config.train_num_points)
        self.register_buffer("empty_weight", torch.ones(config.num_labels + 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights of the classes: all 1 but that of "nothing". Published files hold them."""
        self.empty_weight.fill_(1.0)
        self.empty_weight[-1] = self.no_object

    def forward(self, predictions: Sequence[Prediction], masks: Sequence[Tensor], classes: Sequence[Tensor]) -> Tensor:
        """The weighed sum. Random places are drawn in the published order, so that a seed gives the published loss.

        Args:
            predictions: the last, then the earlier ones.
            masks: (M, H, W) of each image, 1 on the object.
            classes: (M,) int64 of each image.
        """
        total = torch.zeros((), device=predictions[0].masks.device)
        for one in predictions:
            total = total + self._of(one, masks, classes)
        return total

    def _of(self, one: Prediction, masks: Sequence[Tensor], classes: Sequence[Tensor]) -> Tensor:
        scores, words = one.masks.float(), one.classes.float()
        pairs = [self.pairs(*image) for image in zip(scores, words, masks, classes, strict=True)]
        count = max(sum(len(image) for image in classes), 1)
        picked = torch.cat([image[queries] for image, (queries, _) in zip(scores, pairs, strict=True)])
        true = torch.cat([image[objects] for image, (_, objects) in zip(_of_one_size(masks), pairs, strict=True)])
        with torch.no_grad():
            places = self.places(picked)
            wanted = sampled(true[:, None], places)[:, 0]
        said = sampled(picked[:, None], places)[:, 0]  # (pairs, P)
        crossed = F.binary_cross_entropy_with_logits(said, wanted, reduction="none").mean(1).sum() / count
        answers, weights = self._answers(words, classes, pairs), self.empty_weight.float()
        named = F.cross_entropy(words.transpose(1, 2), answers, weight=weights)
        of_class, of_mask, of_dice = self.weights
        return of_mask * crossed + of_dice * dice_loss(said, wanted, count=count) + of_class * named

    @torch.no_grad()
    def pairs(self, scores: Tensor, words: Tensor, masks: Tensor, classes: Tensor) -> Pairs:
        """Which query answers for which object of one image. https://arxiv.org/abs/2005.12872.

        Args:
            scores: (Q, G, L). words: (Q, K + 1). masks: (M, H, W). classes: (M,).
        """
        places = torch.rand(1, self.points, 2, device=scores.device)
        wanted = sampled(masks[None], places)[0]  # (M, P)
        said = sampled(scores[None], places)[0]  # (Q, P)
        inside, outside = F.softplus(-said) / self.points, F.softplus(said) / self.points
        crossed = inside @ wanted.T + outside @ (1 - wanted).T  # (Q, M)
        found = said.sigmoid()
        apart = 1 - (2 * found @ wanted.T + 1) / (found.sum(-1)[:, None] + wanted.sum(-1) + 1)
        of_class, of_mask, of_dice = self.weights
        cost = of_mask * crossed - of_class * words.softmax(-1)[:, classes] + of_dice * apart
        queries, objects = cheapest_pairs(cost)
        return queries.to(scores.device), objects.to(scores.device)

    def places(self, masks: Tensor) -> Tensor:
        """(N, P, 2): most where the mask is least sure, the others anywhere. https://arxiv.org/abs/1912.08193.

        Args:
            masks: (N, G, L) scores.
        """
        drawn = torch.rand(len(masks), self.drawn, 2, device=masks.device)
        doubt = -sampled(masks[:, None], drawn)[:, 0].abs()
        best = doubt.topk(self.unsure, dim=1).indices
        found = drawn.gather(1, best[..., None].expand(-1, -1, 2))
        if self.points == self.unsure:
            return found
        return torch.cat([found, torch.rand(len(masks), self.points - self.unsure, 2, device=masks.device)], dim=1)

    def _answers(self, words: Tensor, classes: Sequence[Tensor], pairs: Sequence[Pairs]) -> Tensor:
        """(B, Q): the class that each query shall name."""
        found = torch.full(words.shape[:2], words.shape[2] - 1, device=words.device)
        for row, image, (queries, objects) in zip(found, classes, pairs, strict=True):
            row[queries] = image[objects]
        return found


def sampled(maps: Tensor, places: Tensor) -> Tensor:
    """What lies at places of maps, between their points by bilinear interpolation.

    Args:
        maps: (N, M, H, W).
        places: (N, P, 2) as (x, y) from 0 to 1.

    Returns:
        (N, M, P).
    """
    return F.grid_sample(maps, 2 * places.unsqueeze(2) - 1, align_corners=False).squeeze(3)


def checked_labels(
    masks: Sequence[Tensor] | None, classes: Sequence[Tensor] | None, prediction: Prediction
) -> tuple[list[Tensor], list[Tensor]]:
    """Masks as float32 and classes as int64, where the predictions are.

    Raises:
        ValueError: one of the two is missing, they are of more or fewer images or objects, or a class is none.
    """
    if masks is None or classes is None:
        raise ValueError("mask_labels and class_labels go together: give both, as an image processor makes them")
    images, count = len(prediction.classes), prediction.classes.shape[2] - 1
    if len(masks) != images or len(classes) != images:
        raise ValueError(f"{len(masks)} mask_labels and {len(classes)} class_labels were given for {images} images")
    device = prediction.masks.device
    for number, (mask, named) in enumerate(zip(masks, classes, strict=True)):
        if mask.dim() != 3 or named.shape != mask.shape[:1]:
            raise ValueError(
                f"mask_labels[{number}] has shape {tuple(mask.shape)} and class_labels[{number}] {tuple(named.shape)}: "
                "(objects, height, width) and (objects,) are needed"
            )
        if named.numel() and not 0 <= int(named.min()) <= int(named.max()) < count:
            raise ValueError(
                f"class_labels[{number}] goes from {int(named.min())} to {int(named.max())}; with {count} classes "
                f"labels are 0 to {count - 1}"
            )
    return [one.to(device, torch.float32) for one in masks], [one.to(device, torch.int64) for one in classes]


def _of_one_size(masks: Sequence[Tensor]) -> list[Tensor]:
    """(M, H, W) each, with zeros at the right of smaller ones and below them."""
    tall, wide = (max(one.shape[axis] for one in masks) for axis in (1, 2))
    return [F.pad(one, (0, wide - one.shape[2], 0, tall - one.shape[1])) for one in masks]
