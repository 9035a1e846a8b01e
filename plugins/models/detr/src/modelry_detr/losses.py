"""What DETR is trained on: queries are matched with objects, and each pair is compared.

B images   Q queries   K classes   N objects of all images   M pairs   H, W height and width of masks
Papers: https://arxiv.org/abs/2005.12872, https://arxiv.org/abs/1708.02002 (focal).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from modelry.heads.losses import dice_loss
from modelry.heads.matching import cheapest_pairs
from modelry_detr.boxes import corners, generalized_overlap
from modelry_detr.configuration import DetrConfig

Target = Mapping[str, Tensor]
"""class_labels (objects,), boxes (objects, 4), and masks (objects, H, W) for segmentation, of one image."""
SLACK = 0.01
"""By how much a box may reach beyond 0 to 1: rounding, not pixels."""
FOCAL_SHARE, FOCAL_POWER = 0.25, 2


class Found(NamedTuple):
    """What a model says of each query."""

    logits: Tensor
    """(B, Q, K + 1)."""
    boxes: Tensor
    """(B, Q, 4)."""

    def named(self) -> dict[str, Any]:
        """Under the published names."""
        return {"logits": self.logits, "pred_boxes": self.boxes}


class Pairs(NamedTuple):
    """Queries that are objects, image by image."""

    images: Tensor
    queries: Tensor
    objects: Tensor
    """Each (M,); objects count within their image."""


def loss_of_objects(
    found: Found,
    targets: Sequence[Target],
    config: DetrConfig,
    *,
    earlier: Sequence[Found] = (),
    masks: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """The loss, and its parts by name; those of earlier layers end in the layer's number.

    Args:
        earlier: what the decoder's layers but the last say.
        masks: (B, Q, G, K) scores, where the targets have masks.

    Raises:
        ValueError: targets that the images cannot have; names the first.
    """
    check_targets(targets, images=len(found.logits), classes=found.logits.shape[-1] - 1, masks=masks is not None)
    targets = [_moved(target, found.logits.device) for target in targets]
    weights = {
        "loss_ce": 1.0,
        "loss_bbox": config.bbox_loss_coefficient,
        "loss_giou": config.giou_loss_coefficient,
        "loss_mask": config.mask_loss_coefficient,
        "loss_dice": config.dice_loss_coefficient,
    }
    pairs = matched(found, targets, config)
    parts = _compared(found, targets, pairs, config)
    if masks is not None:
        parts |= _masks_compared(masks, targets, pairs)
    total = sum((weights[name] * part for name, part in parts.items() if name in weights), torch.zeros(()))
    for number, one in enumerate(earlier):
        own = _compared(one, targets, matched(one, targets, config), config)
        total = total + sum(weights[name] * part for name, part in own.items() if name in weights)
        parts |= {f"{name}_{number}": part for name, part in own.items()}
    return total, parts


@torch.no_grad()
def matched(found: Found, targets: Sequence[Target], config: DetrConfig) -> Pairs:
    """The pairs of query and object that cost least. What is no number costs most, so that it is taken last."""
    images, queries, objects = [], [], []
    for image, target in enumerate(targets):
        boxes = found.boxes[image].float()
        likely = found.logits[image].float().softmax(-1)[:, target["class_labels"]]
        apart = torch.cdist(boxes, target["boxes"].float(), p=1)
        overlap = generalized_overlap(corners(boxes)[:, None], corners(target["boxes"].float()))
        costs = config.bbox_cost * apart - config.class_cost * likely - config.giou_cost * overlap
        rows, columns = cheapest_pairs(costs)
        images += [image] * len(rows)
        queries += rows.tolist()
        objects += columns.tolist()
    return Pairs(*(torch.tensor(one, dtype=torch.long) for one in (images, queries, objects)))


def _compared(found: Found, targets: Sequence[Target], pairs: Pairs, config: DetrConfig) -> dict[str, Tensor]:
    """Classes of all queries, boxes of those that are objects; and, for who watches, by how many the count is off."""
    logits, boxes = found.logits.float(), found.boxes.float()
    nothing = logits.shape[-1] - 1
    classes = torch.full(logits.shape[:2], nothing, device=logits.device)
    classes[pairs.images, pairs.queries] = _of_pairs(targets, pairs, "class_labels")
    weights = torch.ones(nothing + 1, device=logits.device)
    weights[nothing] = config.eos_coefficient
    said, wanted = boxes[pairs.images, pairs.queries], _of_pairs(targets, pairs, "boxes").float()
    counts = torch.tensor([float(len(one["class_labels"])) for one in targets], device=logits.device)
    claimed = (logits.detach().argmax(-1) != nothing).sum(1).float()
    count = _count(targets)
    return {
        "loss_ce": F.cross_entropy(logits.flatten(0, 1), classes.flatten(), weights),
        "loss_bbox": (said - wanted).abs().sum() / count,
        "loss_giou": (1 - generalized_overlap(corners(said), corners(wanted))).sum() / count,
        "cardinality_error": (claimed - counts).abs().mean(),
    }


def _masks_compared(masks: Tensor, targets: Sequence[Target], pairs: Pairs) -> dict[str, Tensor]:
    """Pixel by pixel, and as a whole, in the size of the largest image's masks; smaller ones are padded by nothing."""
    height = max(one["masks"].shape[1] for one in targets)
    width = max(one["masks"].shape[2] for one in targets)
    padded = [
        {"masks": F.pad(one["masks"].float(), (0, width - one["masks"].shape[2], 0, height - one["masks"].shape[1]))}
        for one in targets
    ]
    wanted = _of_pairs(padded, pairs, "masks").flatten(1)
    said = masks[pairs.images, pairs.queries].float()[:, None]
    if len(said):
        said = F.interpolate(said, size=(height, width), mode="bilinear", align_corners=False)
        said = said.flatten(1)
    else:
        said = said.sum() + wanted
    count = _count(targets)
    likely = said.sigmoid()
    right = likely * wanted + (1 - likely) * (1 - wanted)
    share = FOCAL_SHARE * wanted + (1 - FOCAL_SHARE) * (1 - wanted)
    apart = F.binary_cross_entropy_with_logits(said, wanted, reduction="none")
    return {
        "loss_mask": (share * apart * (1 - right) ** FOCAL_POWER).sum() / (height * width) / count,
        "loss_dice": dice_loss(said, wanted, count=count),
    }


def _moved(target: Target, device: torch.device) -> Target:
    found = {name: target[name].to(device) for name in ("class_labels", "boxes", "masks") if name in target}
    return {**found, "class_labels": found["class_labels"].long()}  # those of nothing are often floats


def _of_pairs(targets: Sequence[Target], pairs: Pairs, name: str) -> Tensor:
    """The objects' values in the order of the pairs, (M, …)."""
    counts = [len(one[name]) for one in targets]
    starts = torch.tensor([0, *counts[:-1]]).cumsum(0)
    return torch.cat([one[name] for one in targets])[starts[pairs.images] + pairs.objects]


def _count(targets: Sequence[Target]) -> int:
    """N, at least 1."""
    return max(1, sum(len(one["class_labels"]) for one in targets))


def check_targets(targets: Sequence[Target], *, images: int, classes: int, masks: bool) -> None:
    """
    Raises:
        ValueError: there are more or fewer than images, or one has other classes, boxes or masks than an image can
            have.
    """
    if isinstance(targets, Mapping) or len(targets) != images:
        raise ValueError(f"labels has {len(targets)} entries: one dictionary for each of the {images} images is needed")
    for number, one in enumerate(targets):
        where = f"labels[{number}]"
        missing = [name for name in ("class_labels", "boxes", *(["masks"] if masks else [])) if name not in one]
        if missing:
            raise ValueError(f"{where} has no {' and no '.join(missing)}; it has {', '.join(one) or 'nothing'}")
        kinds, boxes = one["class_labels"], one["boxes"]
        if kinds.dim() != 1 or (len(kinds) and kinds.is_floating_point()) or tuple(boxes.shape) != (len(kinds), 4):
            raise ValueError(
                f"{where} has class_labels {tuple(kinds.shape)} of {kinds.dtype} and boxes {tuple(boxes.shape)}: "
                "(objects,) of int64 and (objects, 4) are needed"
            )
        wrong = kinds[(kinds < 0) | (kinds >= classes)]
        if len(wrong):
            raise ValueError(
                f"{where} has the class {int(wrong[0])}: with {classes} classes they are 0 to {classes - 1}"
            )
        fits = (boxes >= -SLACK) & (boxes <= 1 + SLACK)
        if not fits.all():
            raise ValueError(
                f"{where} has the box {[round(value, 4) for value in boxes[~fits.all(1)][0].tolist()]}: centre x, "
                "centre y, width and height are parts of the image, from 0 to 1"
            )
        if masks and (one["masks"].dim() != 3 or len(one["masks"]) != len(kinds)):
            raise ValueError(f"{where} has masks {tuple(one['masks'].shape)}: ({len(kinds)}, height, width) is needed")
