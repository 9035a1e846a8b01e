"""Pictures and films like those of a camera, made from a seed, and what damaged files look like."""

import io
from typing import Any

import numpy as np


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: a gradient, a disc and noise."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    base = np.stack([x / width, y / height, (x + y) / (width + height)], axis=-1) * 200
    base[(x - width / 2) ** 2 + (y - height / 3) ** 2 < (min(height, width) / 4) ** 2] = [220, 40, 60]
    return np.clip(base + chance.normal(0, 12, base.shape), 0, 255).astype(np.uint8)


def film(frames: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """(frames, height, width, 3) uint8: a picture that moves to the side."""
    whole = picture(height, width + 2 * frames, seed)
    return np.stack([whole[:, 2 * number : 2 * number + width] for number in range(frames)])


def encoded(pixels: np.ndarray, mode: str = "RGB", format: str = "PNG") -> bytes:
    """The bytes of an image file."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(pixels[:, :, 0]))
    (image if mode == "RGBA" else image.convert(mode)).save(buffer, format)
    return buffer.getvalue()


def encoded_film(frames: np.ndarray, *, rate: int = 10) -> bytes:
    """The bytes of a video file that keeps every pixel of frames (T, height, width, 3) uint8.

    Args:
        rate: frames a second.
    """
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream: Any = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="bgr0")))
        container.mux(stream.encode())
    return buffer.getvalue()
