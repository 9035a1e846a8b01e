"""Frames from the beginning of a video, every so many-th. Those spread over the whole are the video processor's own.

T frames of a video   H, W height and width in pixels   C channels
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.loading import content
from modelry.preprocessing.videos.decoding import decode
from modelry.preprocessing.videos.sampling import VideoMetadata

_FILES = (str, bytes, bytearray, memoryview, os.PathLike)


def first_frames(video: Any, count: int, *, rate: int) -> Sequence[Any]:
    """Frames of a file (H, W, C), or of a list or stack as they are held there.

    Args:
        video: whatever a video processor takes for one video, but for URLs.
        count: how many.
        rate: the distance from one to the next: of `count` frames in the first count x rate, evenly spread.

    Raises:
        PreprocessorError: it is no video, or has too few frames.
    """
    if isinstance(video, _FILES):
        data = content(video, "the video", None)

        def choose(metadata: VideoMetadata) -> VideoMetadata:
            return replace(metadata, frames_indices=indices(metadata.total_num_frames, count, rate))

        found, _ = decode(data, "the video", choose=choose, keep=_whole)
        return found
    if hasattr(video, "getbands") or len(getattr(video, "shape", ())) == 3:
        video = [video]
    if not hasattr(video, "__getitem__") or not hasattr(video, "__len__"):
        raise PreprocessorError(f"the video is a {type(video).__name__}, no file and no frames")
    return [video[index] for index in indices(len(video), count, rate)]


def indices(total: int, count: int, rate: int) -> tuple[int, ...]:
    """Which frames of `total` are taken.

    Raises:
        PreprocessorError: there are too few.
    """
    last = count * rate - 1
    if last >= total:
        raise PreprocessorError(
            f"the video has {total} frames; {count} frames, one of {rate} each, are taken of the first {last + 1}. "
            "Lower frame_sampling_rate or num_frames, or leave frame_sampling_rate out to take them of the whole video"
        )
    return tuple(number * last // max(count - 1, 1) for number in range(count))


def _whole(frame: Any, name: str) -> Any:
    return frame
