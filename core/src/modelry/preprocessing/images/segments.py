"""From masks with classes to segments: things apart (instances), or every pixel in one segment (panoptic).

Carion et al. 2020 (DETR), https://arxiv.org/abs/2005.12872; Cheng et al. 2022 (Mask2Former), https://arxiv.org/abs/2112.01527.
Q queries   K classes   H height   W width   M segments
"""

from collections.abc import Collection
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.detection import image_sizes
from modelry.preprocessing.images.segmentation import masks_and_classes

Extent = tuple[int, int]


def panoptic(
    outputs: Any,
    *,
    threshold: float,
    mask_threshold: float,
    overlap: float,
    fused: Collection[int],
    target_sizes: Any = None,
    as_predicted: bool = False,
) -> list[dict[str, Any]]:
    """One segment for each pixel, or none (0).

    Args:
        threshold: queries that are less sure of their class are left out.
        mask_threshold: from which probability on a pixel belongs to a mask.
        overlap: a segment that keeps less of its mask than this, after others took their pixels, is left out.
        fused: classes whose instances become one segment (sky, grass).
        target_sizes: (height, width) of each image.
        as_predicted: see `modelry.preprocessing.images.segmentation.masks_and_classes`.

    Returns:
        For each image segmentation (H, W), ids of segments, -1 everywhere where nothing was found; and segments_info.
    """
    masks, classes = _queries(outputs, as_predicted)
    sizes = image_sizes(target_sizes, len(masks))
    found = []
    for number in range(len(masks)):
        size = None if sizes is None else sizes[number]
        scores, labels = classes[number].softmax(-1).max(-1)
        kept = (labels != classes.shape[-1] - 1) & (scores > threshold)
        if not kept.any():
            found.append({"segmentation": torch.full(size or tuple(masks.shape[2:]), -1.0), "segments_info": []})
            continue
        probabilities = masks[number][kept].sigmoid()
        if size is not None:
            probabilities = interpolate(probabilities[None], size=size, mode="bilinear", align_corners=False)[0]
        found.append(_segments(probabilities, scores[kept], labels[kept], mask_threshold, overlap, fused))
    return found


def instances(
    outputs: Any,
    *,
    threshold: float,
    mask_threshold: float,
    overlap: float,
    target_sizes: Any = None,
    as_predicted: bool = False,
    run_lengths: bool = False,
    binary_maps: bool = False,
) -> list[dict[str, Any]]:
    """Each thing apart. Mask2Former's queries may overlap and name several classes; those of DETR do not.

    Args:
        run_lengths: give the segmentation as COCO's run lengths, one list for each segment.
        binary_maps: give it as (M, H, W), one map for each segment.

    Returns:
        For each image segmentation and segments_info; see `panoptic`.
    """
    if run_lengths and binary_maps:
        raise PreprocessorError("return_coco_annotation and return_binary_maps exclude each other")
    if "masks_queries_logits" not in outputs:
        if binary_maps:
            raise PreprocessorError("return_binary_maps is for Mask2Former's outputs; these segments do not overlap")
        found = panoptic(
            outputs,
            threshold=threshold,
            mask_threshold=mask_threshold,
            overlap=overlap,
            fused=(),
            target_sizes=target_sizes,
        )
        for one in found:
            if run_lengths and one["segments_info"]:
                one["segmentation"] = encoded_runs(one["segmentation"])
        return found
    masks, classes = _queries(outputs, as_predicted)
    sizes = image_sizes(target_sizes, len(masks))
    found = []
    for number in range(len(masks)):
        size = None if sizes is None else sizes[number]
        one = _things(masks[number], classes[number], threshold, size, binary_maps)
        if run_lengths:
            one["segmentation"] = encoded_runs(one["segmentation"])
        found.append(one)
    return found


def encoded_runs(segmentation: Tensor) -> list[list[int]]:
    """COCO's run lengths of each id in a map: start (from 1) and length, in turn, row by row."""
    found = []
    for number in torch.unique(segmentation):
        inside = torch.zeros(segmentation.numel() + 2, dtype=torch.int8)
        inside[1:-1] = (segmentation == number).flatten()
        borders = torch.nonzero(inside[1:] != inside[:-1]).flatten() + 1
        borders[1::2] -= borders[::2]
        found.append(borders.tolist())
    return found


def _queries(outputs: Any, as_predicted: bool) -> tuple[Tensor, Tensor]:
    found = masks_and_classes(outputs, as_predicted=as_predicted)
    if found is None:
        raise PreprocessorError(
            f"segments need the outputs of a model that predicts masks; these have {', '.join(outputs.keys())}"
        )
    return found


def _segments(
    masks: Tensor, scores: Tensor, labels: Tensor, mask_threshold: float, overlap: float, fused: Collection[int]
) -> dict[str, Any]:
    """Each pixel goes to the query that is surest of it.

    Args:
        masks: (Q, H, W) probabilities. scores, labels: (Q,).
    """
    weighed = masks * scores[:, None, None]
    owners = weighed.argmax(0)
    segmentation = torch.zeros(owners.shape, dtype=torch.int32, device=masks.device)
    segments: list[dict[str, Any]] = []
    of_class: dict[int, int] = {}
    last = 0
    for query, label in enumerate(labels.tolist()):
        owned = owners == query
        area, original = int(owned.sum()), int((weighed[query] >= mask_threshold).sum())
        if not area or not original or area / original <= overlap:
            continue
        # The number counts on from the last one written, a fused one included: that is how it is published.
        last = of_class[label] if label in of_class else last + 1
        segmentation[owned] = last
        fuse = label in fused
        score = round(scores[query].item(), 6)
        segments.append({"id": last, "label_id": label, "was_fused": fuse, "score": score})
        if fuse:
            of_class[label] = last
    return {"segmentation": segmentation, "segments_info": segments}


def _things(masks: Tensor, classes: Tensor, threshold: float, size: Extent | None, binary_maps: bool) -> dict[str, Any]:
    """The Q surest pairs of query and class of one image, weighed by how sure their masks are."""
    queries, kinds = classes.shape[0], classes.shape[1] - 1
    scores, best = classes.softmax(-1)[:, :-1].flatten().topk(queries, sorted=False)
    labels, masks = best % kinds, masks[best // kinds]
    binary = (masks > 0).float()
    sureness = (masks.sigmoid().flatten(1) * binary.flatten(1)).sum(1) / (binary.flatten(1).sum(1) + 1e-6)
    scores = scores * sureness
    segmentation = torch.full(size or tuple(binary.shape[1:]), -1.0)
    segments: list[dict[str, Any]] = []
    maps = []
    for query in range(queries):
        score = scores[query].item()
        if score < threshold:
            continue
        inside = binary[query]
        if size is not None:  # one by one: those of all queries would not fit for a large image
            inside = interpolate(inside[None, None], size=size, mode="nearest")[0, 0]
        if not inside.any():
            continue
        segmentation[inside.bool().cpu()] = len(segments)
        if binary_maps:
            maps.append(inside)
        label = int(labels[query])
        segments.append({"id": len(segments), "label_id": label, "was_fused": False, "score": round(score, 6)})
    if maps:
        segmentation = torch.stack(maps)
    return {"segmentation": segmentation, "segments_info": segments}
