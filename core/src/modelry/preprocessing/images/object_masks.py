"""Maps of things or classes as a mask for each, which is what models that find things are trained with.

M things in an image   H height   W width
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.label_maps import placed_maps
from modelry.preprocessing.images.parameters import ImageParameters


def object_masks(
    maps: Any, parameters: ImageParameters, extents: Sequence[tuple[int, int]], classes: Any = None
) -> dict[str, list[np.ndarray]]:
    """Masks and classes of each image, in the order of their numbers in the map.

    Args:
        maps: see `modelry.preprocessing.images.label_maps.label_maps`.
        extents: height and width of each prepared image. Padding belongs to no mask.
        classes: the class of each number, or such a mapping for each image; None where numbers are classes.

    Returns:
        "mask_labels": (M, H, W) float32 of each image; "class_labels": (M,) int64 of each.

    Raises:
        PreprocessorError: a map that is none, a number without a class, or labels that are to be reduced and no
            ignore_index for those that are none then.
    """
    ignored, reduced = parameters.ignore_index, parameters.do_reduce_labels
    if reduced and ignored is None:
        raise PreprocessorError("do_reduce_labels needs an ignore_index, for pixels that are of no class then")
    each = classes if isinstance(classes, list | tuple) else [classes] * len(extents)
    if len(each) != len(extents):
        raise PreprocessorError(f"{len(each)} instance_id_to_semantic_id were given for {len(extents)} images")
    found: dict[str, list[np.ndarray]] = {"mask_labels": [], "class_labels": []}
    placed = placed_maps(maps, parameters, extents)
    for number, (plane, extent, mapping) in enumerate(zip(placed, extents, each, strict=True)):
        if reduced and ignored is not None:
            plane = np.where(plane == 0, ignored, plane - 1)
        ids = np.unique(plane)
        if ignored is not None:
            ids = ids[ids != ignored]
        masks = np.zeros((len(ids), *extent), np.float32)
        masks[:, : plane.shape[0], : plane.shape[1]] = plane == ids[:, None, None]
        found["mask_labels"].append(masks)
        found["class_labels"].append(_named(ids, mapping, number, moved=int(reduced)))
    return found


def _named(ids: np.ndarray, classes: Any, image: int, *, moved: int) -> np.ndarray:
    """The class of each number. Mappings speak of the map as it was given, before its labels moved down."""
    if classes is None:
        return ids.astype(np.int64)
    if not isinstance(classes, Mapping):
        raise PreprocessorError(f"instance_id_to_semantic_id is a {type(classes).__name__}; a mapping is needed")
    lacking = [one + moved for one in ids.tolist() if one + moved not in classes]
    if lacking:
        raise PreprocessorError(
            f"instance_id_to_semantic_id has no class for {lacking[0]}, in the map of image {image}"
        )
    return np.array([int(classes[one + moved]) - moved for one in ids.tolist()], np.int64)
