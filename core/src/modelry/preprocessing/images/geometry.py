"""One image's way through turning, padding, resizing and cropping, as its parameters say, to an array (H, W, C).

H height   W width   C channels. Resizing runs in Pillow on 8-bit values, as in the published processors.
"""

import random
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.images import sizes
from modelry.preprocessing.images.loading import Picture, most_pixels, pillow
from modelry.preprocessing.images.parameters import ImageParameters
from modelry.preprocessing.images.sizes import Extent


def arranged(picture: Picture, parameters: ImageParameters, name: str) -> np.ndarray:
    """Everything that moves pixels, in the published order.

    Returns:
        (H, W, C) uint8; floating point where the picture was an array of such and still is.

    Raises:
        PreprocessorError: the result would have no pixels, or more than memory is meant for.
    """
    p = parameters
    picture = _channels(picture, p, name)
    if p.do_align_long_axis:
        picture = _aligned(picture, p.size or {})
    if p.do_pad and p.published.padding == "square-first":
        picture = _squared(_pixels(picture), p.image_mean)
    if p.do_resize:
        picture = _resized(picture, p, name)
    if p.do_thumbnail:
        room = p.size or {}
        picture = resize(picture, sizes.thumbnail(extent(picture), (room["height"], room["width"])), p.resample, name)
    array = _pixels(picture)
    if p.do_pad and p.published.padding == "to-size":
        room = p.size or {}
        array = _filled(array, room["height"], room["width"], name, anywhere=p.random_padding)
    if p.do_center_crop:
        array = cropped(array, (p.crop_size or {})["height"], (p.crop_size or {})["width"])
    return array[:, :, ::-1] if p.do_flip_channel_order else array


def extent(picture: Picture) -> Extent:
    """Height and width."""
    return picture.shape[:2] if isinstance(picture, np.ndarray) else (picture.height, picture.width)


def resize(picture: Picture, wanted: Extent, resample: int, name: str) -> Picture:
    """The picture in another size; an array of floating-point values stays one unless its values are whole."""
    if extent(picture) == wanted and not (isinstance(picture, np.ndarray) and picture.dtype != np.uint8):
        return picture
    height, width = wanted
    if height <= 0 or width <= 0 or height * width > most_pixels():
        now = " × ".join(map(str, extent(picture)))
        raise PreprocessorError(
            f"{name} has {now} pixels, and `size` would make {height} × {width} of it; crop it first"
        )
    if not isinstance(picture, np.ndarray):
        return picture.resize((width, height), resample)
    values, unit = _eight_bits(picture, name)
    image = pillow().fromarray(values[:, :, 0] if values.shape[2] == 1 else np.ascontiguousarray(values))
    found = image.resize((width, height), resample)
    return _pixels(found) * np.float32(1 / 255) if unit else found


def cropped(array: np.ndarray, height: int, width: int) -> np.ndarray:
    """The middle of an array (…, H, W, C); where it is smaller, zeros stand around it."""
    tall, wide = array.shape[-3:-1]
    top, left = (tall - height) // 2, (wide - width) // 2
    inner = array[..., max(top, 0) : top + height, max(left, 0) : left + width, :]
    if inner.shape[-3:-1] == (height, width):
        return inner
    found = np.zeros((*array.shape[:-3], height, width, array.shape[-1]), array.dtype)
    top, left = max(-top, 0), max(-left, 0)
    found[..., top : top + inner.shape[-3], left : left + inner.shape[-2], :] = inner
    return found


def _pixels(picture: Picture) -> np.ndarray:
    array = np.asarray(picture)
    return array[:, :, None] if array.ndim == 2 else array


def _channels(picture: Picture, p: ImageParameters, name: str) -> Picture:
    """RGB where it is asked for, or where the model's mean has another number of channels than the picture."""
    count = picture.shape[2] if isinstance(picture, np.ndarray) else len(picture.getbands())
    wanted = len(p.image_mean or ()) if p.do_normalize else 0
    sought = len(p.image_mean or (0, 0, 0))
    unfit = count == 4 or (sought == 3 and count != 3)
    if unfit if p.do_convert_rgb is None else (p.do_convert_rgb and count != 3):
        picture, count = _rgb(picture, name), 3
    if wanted not in (0, 1, count):
        raise PreprocessorError(
            f"{name} has {count} channels and image_mean has {wanted}; pass do_convert_rgb=True, or as many means"
        )
    return picture


def _rgb(picture: Picture, name: str) -> Picture:
    if not isinstance(picture, np.ndarray):
        return picture.convert("RGB")
    if picture.shape[2] == 1:
        return np.repeat(picture, 3, axis=2)
    whole = picture.dtype == np.uint8
    if not whole and (picture.min() < 0 or picture.max() > 1):
        raise PreprocessorError(f"{name} has transparency and values outside of 0 to 1; it cannot become RGB")
    white = 255 if whole else 1.0
    opacity = picture[:, :, 3:] / white
    mixed = opacity * picture[:, :, :3] + (1 - opacity) * white
    return (np.round(mixed) if whole else mixed).astype(picture.dtype)


def _aligned(picture: Picture, size: dict[str, int]) -> Picture:
    height, width = extent(picture)
    turned = (size["width"] < size["height"] and width > height) or (size["width"] > size["height"] and width < height)
    if not turned:
        return picture
    return np.rot90(picture, 3) if isinstance(picture, np.ndarray) else picture.transpose(pillow().Transpose.ROTATE_270)


def _resized(picture: Picture, p: ImageParameters, name: str) -> Picture:
    size, now = p.size or {}, extent(picture)
    if p.published.padding == "to-size":
        return resize(picture, sizes.shortest_edge(now, min(size["height"], size["width"])), p.resample, name)
    if p.crop_pct is not None and set(size) == {"shortest_edge"}:
        edge = size["shortest_edge"]
        if edge >= 384:
            return resize(picture, (edge, edge), p.resample, name)
        found = resize(picture, sizes.shortest_edge(now, int(edge / p.crop_pct)), p.resample, name)
        return cropped(_pixels(found), edge, edge)
    if (p.ensure_multiple_of is not None or p.keep_aspect_ratio) and set(size) == {"height", "width"}:
        wanted = (size["height"], size["width"])
        keep, multiple = bool(p.keep_aspect_ratio), p.ensure_multiple_of or 1
        return resize(picture, sizes.multiples(now, wanted, keep_ratio=keep, multiple=multiple), p.resample, name)
    if p.published.edges_are_pixels and set(size) == {"shortest_edge", "longest_edge"}:
        size = {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"]}
    patch = p.patch_size if isinstance(p.patch_size, int) else 1
    try:
        wanted = sizes.resized(now, size, factor=patch * (p.merge_size or 1))
    except PreprocessorError as error:
        raise PreprocessorError(f"{name} {error}") from error
    if p.published.divides_resized and p.size_divisor:
        wanted = sizes.rounded_up(wanted, p.size_divisor)
    return resize(picture, wanted, p.resample, name)


def _eight_bits(array: np.ndarray, name: str) -> tuple[np.ndarray, bool]:
    """The array as uint8, and whether its values were between 0 and 1 (whole numbers count as 0 to 255)."""
    if array.dtype == np.uint8:
        return array, False
    low, high = array.min(), array.max()
    if low >= 0 and high <= 255 and np.allclose(array, np.trunc(array)):
        return array.astype(np.uint8), False
    if low < 0 or high > 1:
        raise PreprocessorError(
            f"{name} has values from {low:g} to {high:g}; to be resized they lie between 0 and 1, or are whole numbers "
            "from 0 to 255. Pass do_resize=False for values that are finished"
        )
    return (array.astype(np.float64) * 255).astype(np.float32).astype(np.uint8), True


def _squared(array: np.ndarray, mean: Any) -> np.ndarray:
    """In the middle of a square of the mean's colour (LLaVA 1.5, https://arxiv.org/abs/2310.03744)."""
    height, width, channels = array.shape
    edge = max(height, width)
    if height == width:
        return array
    colours = [int(one * 255) for one in mean or ()] or [0] * channels
    found = np.empty((edge, edge, channels), array.dtype)
    found[:] = colours if len(colours) == channels else colours[0]
    top, left = (edge - height) // 2, (edge - width) // 2
    found[top : top + height, left : left + width] = array
    return found


def _filled(array: np.ndarray, height: int, width: int, name: str, *, anywhere: bool) -> np.ndarray:
    """In the middle of zeros, or anywhere among them: where Python's random numbers say."""
    tall, wide, channels = array.shape
    if tall > height or wide > width:
        raise PreprocessorError(f"{name} has {tall} × {wide} pixels, more than the {height} × {width} it is padded to")
    found = np.zeros((height, width, channels), array.dtype)
    top, left = (height - tall) // 2, (width - wide) // 2
    if anywhere:
        top, left = random.randint(0, height - tall), random.randint(0, width - wide)
    found[top : top + tall, left : left + wide] = array
    return found
