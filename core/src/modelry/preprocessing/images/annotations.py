"""COCO's annotations of images as what detectors are trained with: classes, boxes, masks, which go their images' way.

N objects of an image   H, W height and width   https://cocodataset.org/#format-data
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.geometry import resize
from modelry.preprocessing.images.loading import decoded
from modelry.preprocessing.images.parameters import ImageParameters
from modelry.preprocessing.images.polygons import outlined
from modelry.preprocessing.images.sizes import Extent

Target = dict[str, np.ndarray]
NEAREST = 0
DETECTION, PANOPTIC = "coco_detection", "coco_panoptic"


def targets_of(
    annotations: Any,
    parameters: ImageParameters,
    extents: Sequence[tuple[Extent, Extent, Extent]],
    *,
    masks_path: Any = None,
    with_masks: bool | None = None,
) -> list[Target]:
    """What each image shows.

    Args:
        annotations: one or a list of {"image_id", "annotations"}, or, with format "coco_panoptic", {"image_id",
            "file_name", "segments_info"}.
        extents: of each image as given, as resized, and as padded.
        masks_path: the folder of the PNG files of panoptic annotations.
        with_masks: whether masks are wanted; None: of panoptic annotations only.

    Returns:
        For each image class_labels (N,), boxes (N, 4), area, iscrowd, image_id, orig_size, size, and masks (N, H, W).
        With do_convert_annotations boxes are centre x, centre y, width and height as parts of the padded image; else
        left, top, right and bottom in pixels of the resized one.

    Raises:
        PreprocessorError: there are more or fewer than images, or one is not of the format; names it.
    """
    given = [annotations] if isinstance(annotations, Mapping) else list(annotations)
    if len(given) != len(extents):
        raise PreprocessorError(f"{len(given)} annotations were given for {len(extents)} images")
    panoptic = parameters.format == PANOPTIC
    if panoptic and masks_path is None:
        raise PreprocessorError("panoptic annotations name files: give their folder as masks_path")
    found = []
    for number, (one, (own, resized, padded)) in enumerate(zip(given, extents, strict=True)):
        name = f"annotations[{number}]"
        keys = ("image_id", "file_name", "segments_info") if panoptic else ("image_id", "annotations")
        missing = [key for key in keys if not (isinstance(one, Mapping) and key in one)]
        if missing:
            raise PreprocessorError(
                f"{name} has no {' and no '.join(missing)}; {parameters.format or DETECTION} needs it"
            )
        if panoptic:
            target = _panoptic(one, own, Path(masks_path), name, with_masks=with_masks is not False)
        else:
            target = _objects(one, own, name, with_masks=bool(with_masks))
        found.append(_placed(target, parameters, own, resized, padded, name))
    return found


def _objects(one: Mapping[str, Any], extent: Extent, name: str, *, with_masks: bool) -> Target:
    """Boxes inside the image, from left, top, width and height; crowds and empty boxes are left out."""
    height, width = extent
    things = [(f"{name}['annotations'][{number}]", thing) for number, thing in enumerate(one["annotations"])]
    things = [(where, thing) for where, thing in things if not thing.get("iscrowd", 0)]
    for where, thing in things:
        needed = ("category_id", "bbox", "area", *(("segmentation",) if with_masks else ()))
        missing = [key for key in needed if key not in thing]
        if missing:
            raise PreprocessorError(f"{where} has no {' and no '.join(missing)}")
        if len(thing["bbox"]) != 4 or not np.isfinite(thing["bbox"]).all():
            raise PreprocessorError(f"{where} has the bbox {thing['bbox']!r:.60}: left, top, width, height are needed")
    classes = _classes([(where, thing["category_id"]) for where, thing in things])
    boxes = np.array([thing["bbox"] for _, thing in things], np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, width)
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, height)
    kept = (boxes[:, 2:] > boxes[:, :2]).all(1)
    target = {
        "image_id": np.array([one["image_id"]], np.int64),
        "class_labels": classes[kept],
        "boxes": boxes[kept],
        "area": np.array([thing["area"] for _, thing in things], np.float32)[kept],
        "iscrowd": np.zeros(int(kept.sum()), np.int64),
        "orig_size": np.array(extent, np.int64),
    }
    if with_masks:
        masks = [outlined(thing["segmentation"], extent, f"{where}['segmentation']") for where, thing in things]
        target["masks"] = np.array(masks, np.uint8).reshape(-1, height, width)[kept]
    return target


def _panoptic(one: Mapping[str, Any], extent: Extent, folder: Path, name: str, *, with_masks: bool) -> Target:
    """Segments whose numbers are the colours of a PNG file: red, then 256 times green, then 65536 times blue."""
    path = folder / str(one["file_name"])
    if not path.resolve().is_relative_to(folder.resolve()):
        raise PreprocessorError(f"{name} names {one['file_name']!r}, which is not inside of {folder}")
    colours = decoded(path, f"the segments {path}")
    if colours.shape != (*extent, 3):
        raise PreprocessorError(f"{path} has the shape {colours.shape}; the image of {name} has {extent} pixels of RGB")
    numbers = colours.astype(np.int64) @ np.array([1, 256, 65536])
    segments = list(one["segments_info"])
    where = [f"{name}['segments_info'][{number}]" for number in range(len(segments))]
    masks = np.array([numbers == segment["id"] for segment in segments], bool).reshape(-1, *extent)
    for place, segment, mask in zip(where, segments, masks, strict=True):
        if not mask.any():
            raise PreprocessorError(f"{place} has the id {segment['id']}, and no pixel of {path} is of it")
    target = {
        "image_id": np.array([one["image_id"]], np.int64),
        "orig_size": np.array(extent, np.int64),
        "size": np.array(extent, np.int64),
        "boxes": _boxes_around(masks),
        "class_labels": _classes(list(zip(where, (segment["category_id"] for segment in segments), strict=True))),
        "iscrowd": np.array([segment.get("iscrowd", 0) for segment in segments], np.int64),
        "area": np.array([segment.get("area", 0) for segment in segments], np.float32),
    }
    return {**target, "masks": masks.astype(np.uint8)} if with_masks else target


def _classes(found: Sequence[tuple[str, Any]]) -> np.ndarray:
    for where, value in found:
        if not isinstance(value, int | np.integer) or value < 0:
            raise PreprocessorError(f"{where} has the category_id {value!r}: a whole number from 0 on is needed")
    return np.array([value for _, value in found], np.int64)


def _boxes_around(masks: np.ndarray) -> np.ndarray:
    """(N, 4) float32: first and last column and row of each mask."""
    across, down = np.asarray(masks.any(1)), np.asarray(masks.any(2))
    width, height = across.shape[1], down.shape[1]
    first = across.argmax(1), down.argmax(1)
    last = width - 1 - across[:, ::-1].argmax(1), height - 1 - down[:, ::-1].argmax(1)
    return np.stack([*first, *last], axis=1).astype(np.float32).reshape(-1, 4)


def _placed(
    target: Target, parameters: ImageParameters, own: Extent, resized: Extent, padded: Extent, name: str
) -> Target:
    """As the image was resized and padded."""
    target = dict(target)
    boxes = target["boxes"]
    if parameters.do_resize:
        tall, wide = resized[0] / own[0], resized[1] / own[1]
        boxes = boxes * np.array([wide, tall, wide, tall], np.float32)
        target["area"] = target["area"] * np.float32(wide * tall)
        target["size"] = np.array(resized, np.int64)
        if "masks" in target:
            planes = [np.asarray(resize(mask[:, :, None], resized, NEAREST, name)) for mask in target["masks"]]
            target["masks"] = np.array(planes, np.uint8).reshape(-1, *resized) > 0
    converts = parameters.do_convert_annotations
    if parameters.do_normalize if converts is None else converts:
        height, width = padded
        centre, extent = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        boxes = np.concatenate([centre, extent], axis=1) / np.array([width, height, width, height], np.float32)
    target["boxes"] = boxes
    if padded != resized:
        target["size"] = np.array(padded, np.int64)
        if "masks" in target:
            room = ((0, 0), (0, padded[0] - resized[0]), (0, padded[1] - resized[1]))
            target["masks"] = np.pad(target["masks"], room)
    return target
