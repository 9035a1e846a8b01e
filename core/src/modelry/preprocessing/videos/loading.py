"""What a user has for videos, one by one: files, URLs, bytes, stacks of frames, lists of frames.

T frames   H height   W width   C channels
"""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.geometry import arranged
from modelry.preprocessing.images.loading import content, load
from modelry.preprocessing.images.threads import each
from modelry.preprocessing.videos.decoding import decode
from modelry.preprocessing.videos.parameters import VideoParameters
from modelry.preprocessing.videos.sampling import VideoMetadata, sampled

MOST_BYTES = 1 << 30
"""The most that is fetched of a URL."""

_FILES = (str, bytes, bytearray, memoryview, os.PathLike)


def each_video(videos: Any) -> Iterator[tuple[str, Any]]:
    """One video or several: name ("videos[2]") and value.

    Raises:
        PreprocessorError: there is none.
    """
    if _is_one(videos):
        yield "videos", videos
        return
    if not isinstance(videos, list | tuple) and _dimensions(videos) != 5:
        raise PreprocessorError(
            f"videos is a {type(videos).__name__}; a video is a path, a URL, bytes, a list of frames, or a stack of "
            "them (frames, height, width, channels)"
        )
    if not len(videos):
        raise PreprocessorError("videos is an empty list; give one video or more")
    for number, one in enumerate(videos):
        yield f"videos[{number}]", one


def prepared(
    value: Any, name: str, parameters: VideoParameters, *, fps: float | None, allow_private: bool | None
) -> tuple[list[np.ndarray], VideoMetadata]:
    """The frames taken of one video, each arranged as an image (H, W, C), and what is known about it.

    Args:
        fps: frames a second of a stack or list.

    Raises:
        PreprocessorError: it is no video, or a frame that is wanted cannot be used; names both.
    """
    settled = parameters

    def chosen(metadata: VideoMetadata) -> VideoMetadata:
        nonlocal settled
        found = sampled(metadata, parameters, name)
        settled = parameters.settled(len(found.frames_indices))
        return found

    if isinstance(value, _FILES):
        data = content(value, name, allow_private, max_bytes=MOST_BYTES)
        return decode(data, name, choose=chosen, keep=lambda frame, where: arranged(frame, settled, where))
    if _is_picture(value) or (not isinstance(value, list | tuple) and _dimensions(value) == 3):
        value = [value]
    if not isinstance(value, list | tuple) and _dimensions(value) != 4:
        raise PreprocessorError(f"{name} is a {type(value).__name__}, no file and no frames")
    if not len(value):
        raise PreprocessorError(f"{name} has no frames")
    metadata = chosen(VideoMetadata(total_num_frames=len(value), fps=fps))

    def arranged_frame(index: int) -> np.ndarray:
        where = f"{name}, frame {index},"
        frame = load(value[index], where, format=parameters.input_data_format, allow_private=allow_private)
        return arranged(frame, settled, where)

    frames = each(arranged_frame, [(index,) for index in metadata.frames_indices])
    _of_one_size(frames, name)
    return frames, metadata


def _of_one_size(frames: Sequence[np.ndarray], name: str) -> None:
    sizes = {frame.shape for frame in frames}
    if len(sizes) > 1:
        shown = ", ".join(" × ".join(map(str, size[:2])) for size in sorted(sizes)[:3])
        raise PreprocessorError(f"{name} has frames of different sizes ({shown}); a video has one")


def _is_one(value: Any) -> bool:
    """A file, a stack of frames, or a list of frames. Text and bytes in a list are videos, paths of pictures in a list
    within a list are frames.
    """
    if isinstance(value, _FILES) or _dimensions(value) in (3, 4) or _is_picture(value):
        return True
    if not isinstance(value, list | tuple) or not value:
        return False
    first = value[0]
    return _is_picture(first) or _dimensions(first) in (2, 3) or _numbers_deep(first) in (2, 3)


def _is_picture(value: Any) -> bool:
    return hasattr(value, "getbands")


def _dimensions(value: Any) -> int:
    shape = getattr(value, "shape", None)
    return len(shape) if shape is not None else 0


def _numbers_deep(value: Any) -> int:
    """How many lists stand around the first number; 0 where there is none."""
    depth = 0
    while isinstance(value, list | tuple) and value:
        value, depth = value[0], depth + 1
    return depth if isinstance(value, int | float) else 0
