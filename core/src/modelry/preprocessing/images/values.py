"""From arranged images to the numbers a model takes: rescaled, normalised, padded into one batch, in one pass.

N images   H height   W width   C channels
"""

from collections.abc import Collection, Sequence

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.images import sizes
from modelry.preprocessing.images.parameters import ImageParameters
from modelry.preprocessing.images.sizes import Extent


def batched(
    images: Sequence[np.ndarray], parameters: ImageParameters, *, together: bool
) -> tuple[np.ndarray | list[np.ndarray], np.ndarray | None]:
    """Values of all images, each written once, straight to its place.

    Args:
        images: (H, W, C) each.
        together: they must become one array.

    Returns:
        (N, C, H, W), or a list of (C, H, W) where sizes differ; and, where they were padded to one size, a mask
        (N, H, W) with 1 on pixels and 0 on padding.

    Raises:
        PreprocessorError: the sizes differ and they must be together, or one is larger than pad_size.
    """
    p = parameters
    masked = p.do_pad and p.published.padding == "batch"
    places = [_place(image.shape[:2], p) for image in images]
    if masked:
        places = [(_padded(images, p), (0, 0))] * len(images)
    shapes = {(image.shape[2], *whole) for image, (whole, _) in zip(images, places, strict=True)}
    factors = _factors(p)
    kind: np.dtype | type = np.float32 if factors is not None or p.do_rescale else images[0].dtype
    if len(shapes) > 1:
        if together:
            raise PreprocessorError(
                f"the images have different sizes after resizing ({_some(shapes)}) and cannot become one tensor: give "
                "`size` a height and a width, crop, pass do_pad=True, or pass return_tensors=None"
            )
        return [_written(one, place, factors, kind) for one, place in zip(images, places, strict=True)], None
    found = np.empty((len(images), *next(iter(shapes))), kind)
    mask = np.zeros((len(images), *found.shape[2:]), np.int64) if masked else None
    for number, (image, (whole, start)) in enumerate(zip(images, places, strict=True)):
        _write(image, found[number], whole, start, factors)
        if mask is not None:
            mask[number, : image.shape[0], : image.shape[1]] = 1
    return found, mask


def _factors(p: ImageParameters) -> tuple[np.ndarray, np.ndarray] | None:
    """What each channel is multiplied with, and what is added then; None where values stay as they are."""
    scale = p.rescale_factor if p.do_rescale else 1.0
    if not p.do_normalize:
        return (np.array([scale], np.float32), np.zeros(1, np.float32)) if p.do_rescale else None
    mean, deviation = np.asarray(p.image_mean, np.float64), np.asarray(p.image_std, np.float64)
    if len(mean) != len(deviation) and 1 not in (len(mean), len(deviation)):
        raise PreprocessorError(f"image_mean has {len(mean)} values and image_std {len(deviation)}")
    return (scale / deviation).astype(np.float32), (-mean / deviation).astype(np.float32)


def _place(extent: Extent, p: ImageParameters) -> tuple[Extent, Extent]:
    """How large one image's values are, and where in them the image begins."""
    if p.do_pad and p.published.padding == "to-multiple" and p.size_divisor:
        whole = sizes.rounded_up(extent, p.size_divisor)
        return whole, ((whole[0] - extent[0]) // 2, (whole[1] - extent[1]) // 2)
    return extent, (0, 0)


def _padded(images: Sequence[np.ndarray], p: ImageParameters) -> Extent:
    """The size that all images are padded to."""
    largest = max(image.shape[0] for image in images), max(image.shape[1] for image in images)
    if p.pad_size is not None:
        wanted = p.pad_size["height"], p.pad_size["width"]
        if wanted[0] < largest[0] or wanted[1] < largest[1]:
            raise PreprocessorError(f"pad_size is {wanted[0]} × {wanted[1]}, less than an image's {_some({largest})}")
        return wanted
    if p.size_divisor and not p.published.divides_resized:
        return sizes.rounded_up(largest, p.size_divisor)
    return largest


def _written(
    image: np.ndarray,
    place: tuple[Extent, Extent],
    factors: tuple[np.ndarray, np.ndarray] | None,
    kind: np.dtype | type,
) -> np.ndarray:
    found = np.empty((image.shape[2], *place[0]), kind)
    _write(image, found, *place, factors)
    return found


def _write(
    image: np.ndarray,
    found: np.ndarray,
    whole: Extent,
    start: Extent,
    factors: tuple[np.ndarray, np.ndarray] | None,
) -> None:
    """Fill (C, H, W) with an image's values, and zeros around it."""
    height, width, channels = image.shape
    if (height, width) != whole:
        found[:] = 0
        found = found[:, start[0] : start[0] + height, start[1] : start[1] + width]
    if factors is None:
        found[:] = np.moveaxis(image, 2, 0)
        return
    times, plus = (np.broadcast_to(one, (channels,)) for one in factors)
    for channel in range(channels):
        np.multiply(image[:, :, channel], times[channel], out=found[channel], dtype=np.float32, casting="same_kind")
        if plus[channel]:
            found[channel] += plus[channel]


def _some(shapes: Collection[tuple[int, ...]]) -> str:
    shown = [" × ".join(map(str, shape[-2:])) for shape in sorted(shapes)[:3]]
    return ", ".join(shown) + (" …" if len(shapes) > 3 else "")
