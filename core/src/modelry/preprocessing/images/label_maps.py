"""Maps of classes that a segmentation model is trained with: they go the way of their images, and keep whole numbers.

H height   W width
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.geometry import arranged
from modelry.preprocessing.images.loading import decoded, each_image, pillow
from modelry.preprocessing.images.parameters import ImageParameters

IGNORED = 255
"""The label of pixels that no loss counts."""
_AS_THEY_ARE = {
    **{"do_convert_rgb": False, "do_normalize": False, "do_rescale": False, "do_flip_channel_order": False},
    "resample": 0,
}


def label_maps(maps: Any, parameters: ImageParameters, extents: Sequence[tuple[int, int]]) -> list[np.ndarray]:
    """One map for each image, brought to its size; what was padded is ignored.

    Args:
        maps: one or a list of: path, bytes, PIL image (of a palette, the numbers count), array or tensor (H, W).
        extents: height and width of each prepared image.

    Returns:
        (H, W) int64 each.

    Raises:
        PreprocessorError: there are more or fewer than images, or one holds something else than labels.
    """
    found = []
    change = _reduced if parameters.do_reduce_labels else None
    for placed, extent in zip(placed_maps(maps, parameters, extents, change), extents, strict=True):
        full = np.full(extent, IGNORED, np.int64)
        full[: placed.shape[0], : placed.shape[1]] = placed
        found.append(full)
    return found


def placed_maps(
    maps: Any,
    parameters: ImageParameters,
    extents: Sequence[tuple[int, int]],
    change: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Iterator[np.ndarray]:
    """One map for each image, brought to its size without padding, (H, W) int32.

    Args:
        change: what becomes of the labels first.

    Raises:
        PreprocessorError: as of `label_maps`, or a map is larger than its image.
    """
    given = _each_map(maps)
    if len(given) != len(extents):
        raise PreprocessorError(f"{len(given)} segmentation_maps were given for {len(extents)} images")
    whole = parameters.model_copy(update=_AS_THEY_ARE)
    for (name, value), (height, width) in zip(given, extents, strict=True):
        labels = _labels(value, name)
        if change is not None:
            labels = change(labels).astype(np.int32)
        placed = arranged(pillow().fromarray(labels), whole, name)[:, :, 0]
        if placed.shape[0] > height or placed.shape[1] > width:
            raise PreprocessorError(
                f"{name} has {placed.shape[0]} × {placed.shape[1]} pixels after resizing, and its image "
                f"{height} × {width}: a map has the size of its image"
            )
        yield placed


def _reduced(labels: np.ndarray) -> np.ndarray:
    return np.where((labels == 0) | (labels == IGNORED), IGNORED, labels - 1)


def _each_map(maps: Any) -> list[tuple[str, Any]]:
    """A stack (N, H, W) is several maps; so is a list, unless it is of numbers."""
    if not isinstance(maps, list | tuple) and len(getattr(maps, "shape", ())) == 3:
        maps = list(maps)
    return list(each_image(maps, expected="segmentation_maps"))


def _labels(value: Any, name: str) -> np.ndarray:
    """(H, W) int32."""
    array = decoded(value, name)
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[0] if array.shape[0] == 1 else array[:, :, 0]
    if array.ndim != 2 or 0 in array.shape or array.dtype.kind not in "biu":
        raise PreprocessorError(
            f"{name} has the shape {array.shape} of {array.dtype}; a map of labels has rows and columns of whole "
            "numbers"
        )
    return array.astype(np.int32)
