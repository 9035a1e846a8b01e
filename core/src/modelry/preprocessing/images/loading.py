"""What a user has, as pictures: paths, URLs, bytes, base64, PIL images, arrays, tensors. Errors name the item.

A picture is a PIL image of mode RGB or L, or an array (H, W, C), C channels: 1, 3 or 4.
"""

import base64
import binascii
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from modelry.errors import ModelryError, ModelryWarning, PreprocessorError
from modelry.fetching import fetch, is_url

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = Any
"""PIL.Image.Image or numpy.ndarray."""
Format = Literal["channels_first", "channels_last"] | None

_FILES = (str, bytes, bytearray, memoryview, os.PathLike)
_CHANNELS = (1, 3, 4)
_ANIMATED = ("GIF", "PNG", "WEBP", "AVIF", "TIFF")
"""Formats whose further pictures are part of what is shown. Others (MPO) hold previews or views."""
_WITH_ALPHA = ("RGBA", "LA", "PA", "La", "RGBa")


def pillow() -> Any:
    """The PIL.Image module.

    Raises:
        PreprocessorError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise PreprocessorError(
            "images need Pillow, which is not installed. Run: pip install 'modelry-core[vision]'"
        ) from error
    return Image


def most_pixels() -> int:
    """The most pixels an image may have: twice PIL.Image.MAX_IMAGE_PIXELS, where Pillow itself stops."""
    limit: int | None = pillow().MAX_IMAGE_PIXELS
    return 1 << 62 if limit is None else 2 * limit


def each_image(images: Any, *, expected: str = "images") -> Iterator[tuple[str, Any]]:
    """One image, or (nested) lists and stacks of images, flat: name ("images[2]") and value.

    Raises:
        PreprocessorError: there is none.
    """
    found = list(_flat(expected, images))
    if not found:
        raise PreprocessorError(f"{expected} is an empty list; give one image or more")
    yield from found


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        if value and _is_numbers(value):
            yield from _flat(name, _numbers(name, value))
            return
        for number, one in enumerate(value):
            yield from _flat(f"{name}[{number}]", one)
    elif _dimensions(value) in (4, 5):
        for number, one in enumerate(value):
            yield from _flat(f"{name}[{number}]", one)
    else:
        yield name, value


def _dimensions(value: Any) -> int:
    shape = getattr(value, "shape", None)
    return len(shape) if shape is not None else 0


def _is_numbers(value: Any) -> bool:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, int | float)


def _numbers(name: str, value: Any) -> np.ndarray:
    try:
        found = np.asarray(value)
    except ValueError as error:
        raise PreprocessorError(f"{name} is a nested list whose rows differ in length; it is no image") from error
    if found.ndim < 2 or found.dtype.kind not in "biuf":
        raise PreprocessorError(f"{name} is a list of {found.ndim} levels; an image has rows, columns and channels")
    return found


def load(value: Any, name: str, *, format: Format = None, allow_private: bool | None = None) -> Picture:
    """One image as a picture.

    Args:
        name: what errors call it.
        format: where an array has its channels; None looks for the axis of 1, 3 or 4.
        allow_private: see modelry.fetching.fetch.

    Raises:
        PreprocessorError: it is no image, damaged, empty, too large, or has NaN or impossible values.
    """
    if isinstance(value, _FILES):
        return _from_pil(_open(content(value, name, allow_private), name), name)
    if isinstance(value, pillow().Image):
        return _from_pil(value, name)
    return _checked(_array(value, name), name, format)


def decoded(value: Any, name: str) -> np.ndarray:
    """The numbers that an image, file or array holds, whatever they mean; of a palette those of its colours."""
    if isinstance(value, _FILES):
        return np.asarray(_open(content(value, name, None), name))
    return np.asarray(value) if isinstance(value, pillow().Image) else _array(value, name)


def content(value: Any, name: str, allow_private: bool | None, *, max_bytes: int = 64 << 20) -> bytes | Path:
    """What a path, URL, data: URI, base64 text or bytes hold; where it is a file, its path.

    Args:
        max_bytes: the most that is fetched of a URL.

    Raises:
        PreprocessorError: it is none of these, or the URL cannot be fetched.
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if not isinstance(value, str):
        return _file(Path(value), name)
    if value.startswith("data:"):
        head, comma, text = value.partition(",")
        if not comma or not head.endswith(";base64"):
            raise PreprocessorError(f"{name} is a data: URI without base64 content: {value[:40]!r}")
        return _decoded(text, f"{name}, a data: URI,")
    if is_url(value):
        try:
            return fetch(value, max_bytes=max_bytes, allow_private=allow_private)
        except ModelryError as error:
            raise PreprocessorError(f"{name}: {error}") from error
    path = Path(value).expanduser() if len(value) < 4096 and "\0" not in value else None
    try:
        if path is not None and path.exists():
            return _file(path, name)
    except OSError:
        path = None  # a name too long for a file; base64 text is
    if len(value) >= 64 and "." not in value[:64]:
        return _decoded(value, name)
    raise PreprocessorError(f"{name} is {value[:80]!r}: no such file, and no URL, data: URI or base64 text either")


def _file(path: Path, name: str) -> Path:
    if not path.is_file():
        raise PreprocessorError(f"{name} is {str(path)!r}, which is no file")
    return path


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PreprocessorError(f"{name} is {text[:40]!r}…: no such file, and no valid base64 text: {error}") from error


def _open(data: bytes | Path, name: str) -> "Image":
    """Decode a file. Pillow refuses sizes that are meant to exhaust memory before it decodes."""
    module = pillow()
    where = f"{name} ({data})" if isinstance(data, Path) else name
    try:
        content = data.read_bytes() if isinstance(data, Path) else data
    except OSError as error:
        raise PreprocessorError(f"{where} cannot be read: {error}") from error
    if not content:
        raise PreprocessorError(f"{where} is empty: 0 bytes")
    try:
        found: Image = module.open(io.BytesIO(content))
        _say_animated(found, where)
        found.load()
    except module.UnidentifiedImageError as error:
        raise PreprocessorError(
            f"{where} is no image that can be read: {len(content)} bytes that begin with {content[:16]!r}"
        ) from error
    except (module.DecompressionBombError, module.DecompressionBombWarning) as error:
        raise PreprocessorError(
            f"{where} is too large: {error}. For images you trust, raise PIL.Image.MAX_IMAGE_PIXELS"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PreprocessorError(f"{where} is a damaged or truncated image: {error}") from error
    return found


def _say_animated(image: "Image", name: str) -> None:
    frames = getattr(image, "n_frames", 1)
    if image.format in _ANIMATED and frames > 1:
        warnings.warn(f"{name} has {frames} frames or pages; the first is used", ModelryWarning, stacklevel=2)


def _from_pil(image: "Image", name: str) -> "Image":
    """Upright, 8 bits a channel, RGB or L; transparency shows white."""
    if 0 in image.size:
        raise PreprocessorError(f"{name} has {image.height} × {image.width} pixels: there is nothing to see")
    if image.width * image.height > most_pixels():
        raise PreprocessorError(f"{name} has {image.height} × {image.width} pixels; the limit is {most_pixels()}")
    try:
        if image.getexif().get(0x0112, 1) != 1:
            from PIL import ImageOps

            image = ImageOps.exif_transpose(image)
        if image.mode in ("RGB", "L") and "transparency" not in image.info:
            return image
        return _eight_bits(image, name)
    except (OSError, SyntaxError) as error:
        raise PreprocessorError(f"{name} is a damaged or truncated image: {error}") from error


def _eight_bits(image: "Image", name: str) -> "Image":
    module = pillow()
    if image.mode.startswith("I"):
        values = np.asarray(image)
        deep = image.mode != "I" or values.max(initial=0) > 255
        if values.min(initial=0) < 0 or values.max(initial=0) > 65535:
            raise PreprocessorError(f"{name} has values from {values.min()} to {values.max()}, more than 16 bits")
        grey: Image = module.fromarray((values >> 8 if deep else values).astype(np.uint8))
        return grey
    if image.mode == "F":
        raise PreprocessorError(f"{name} has floating-point pixels (mode F), whose range is unknown; pass an array")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in _WITH_ALPHA or image.info.get("transparency") is not None:
        image = image.convert("RGBA")
        white = module.new("RGBA", image.size, (255, 255, 255, 255))
        opaque: Image = module.alpha_composite(white, image)
        return opaque.convert("RGB")
    return image.convert("RGB")


def _array(value: Any, name: str) -> np.ndarray:
    """An array of a numpy array, a torch tensor on any device, or a nested list."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "detach") and hasattr(value, "is_floating_point"):
        tensor = value.detach().cpu()
        return np.asarray(tensor.float() if tensor.is_floating_point() else tensor)
    if hasattr(value, "__array__"):
        return np.asarray(value)
    raise PreprocessorError(
        f"{name} is a {type(value).__name__}; an image is a path, a URL, bytes, base64 text, a PIL image, an array or "
        "a tensor"
    )


def _checked(array: np.ndarray, name: str, format: Format) -> np.ndarray:
    """(H, W, C), uint8 or floating point, finite."""
    if array.ndim == 2:
        array = array[:, :, None]
    elif array.ndim != 3:
        raise PreprocessorError(f"{name} has the shape {array.shape}; an image has 2 or 3 dimensions")
    elif format == "channels_first" or (format is None and array.shape[0] in _CHANNELS):
        array = np.moveaxis(array, 0, -1)
    if array.shape[-1] not in _CHANNELS:
        raise PreprocessorError(
            f"{name} has the shape {array.shape}{'' if format is None else f' with {format}'}: no axis of 1, 3 or 4 "
            "channels. Turn it into grey, RGB or RGBA, or say where the channels are with input_data_format"
        )
    if 0 in array.shape:
        raise PreprocessorError(f"{name} has the shape {array.shape}: there is nothing to see")
    if array.shape[0] * array.shape[1] > most_pixels():  # it may be a view of a file or of one pixel
        raise PreprocessorError(f"{name} has {array.shape[0]} × {array.shape[1]} pixels; the limit is {most_pixels()}")
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind in "iu":
        low, high = array.min(), array.max()
        if low < 0 or high > 255:
            raise PreprocessorError(
                f"{name} has whole numbers from {low} to {high} ({array.dtype}); 0 to 255 are expected. "
                "Divide 16-bit values by 257"
            )
        return array.astype(np.uint8)
    if array.dtype.kind != "f":
        raise PreprocessorError(f"{name} is an array of {array.dtype}, not of numbers")
    if not np.isfinite(array).all():
        raise PreprocessorError(f"{name} holds NaN or infinite values")
    return array.astype(np.float32) if array.dtype != np.float64 else array
