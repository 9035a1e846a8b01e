"""Frames of a video file, through PyAV. Only frames that are wanted are kept, as whatever the caller makes of them."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.containers import open_container
from modelry.preprocessing.images.loading import most_pixels
from modelry.preprocessing.videos.sampling import VideoMetadata

SHORT = 0.5
"""Seconds that may be missing at the end: some writers count them generously."""


def decode(
    data: bytes | Path,
    name: str,
    *,
    choose: Callable[[VideoMetadata], VideoMetadata],
    keep: Callable[[Any, str], np.ndarray],
) -> tuple[list[np.ndarray], VideoMetadata]:
    """Decode up to the last frame that is wanted.

    Args:
        choose: fills in frames_indices.
        keep: makes what is kept of a frame (H, W, 3) uint8; it is called with the frame and its name.

    Raises:
        PreprocessorError: no video, no video stream, or a frame that is wanted is missing or damaged.
    """
    av = _pyav()
    where = f"{name} ({data})" if isinstance(data, Path) else name
    if not (data.stat().st_size if isinstance(data, Path) else len(data)):
        raise PreprocessorError(f"{where} is empty: 0 bytes")
    try:
        metadata = choose(_measured(av, data, where))
        frames = _frames(av, data, where, frozenset(metadata.frames_indices), keep)
    except av.FFmpegError as error:
        raise PreprocessorError(f"{where} is no video that can be read, or it is damaged: {error}") from error
    missing = [index for index in metadata.frames_indices if index not in frames]
    if missing:
        raise PreprocessorError(
            f"{where} announces {metadata.total_num_frames} frames, but frame {missing[0]} cannot be decoded: it is "
            "damaged or was cut off"
        )
    return [frames[index] for index in metadata.frames_indices], metadata


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise PreprocessorError(
            "video files need PyAV, which is not installed. Run: pip install 'modelry-core[video]'"
        ) from error
    return av


def _opened(av: Any, data: bytes | Path) -> Any:
    """Only what stands in the file itself is read: no other files or addresses that a playlist names."""
    allowed = {"protocol_whitelist": "file,pipe,fd"} if isinstance(data, Path) else {"protocol_whitelist": ""}
    return open_container(av, str(data) if isinstance(data, Path) else io.BytesIO(data), options=allowed)


def _stream(container: Any, where: str) -> Any:
    if not container.streams.video:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise PreprocessorError(f"{where} has no video stream; it has {kinds}")
    return container.streams.video[0]


def _measured(av: Any, data: bytes | Path, where: str) -> VideoMetadata:
    """Count the frames and read their times, without decoding any."""
    with _opened(av, data) as container:
        stream = _stream(container, where)
        if stream.width * stream.height > most_pixels():
            raise PreprocessorError(
                f"{where} has frames of {stream.height} × {stream.width} pixels; the limit is {most_pixels()}"
            )
        times, count, end = [], 0, 0.0
        for packet in container.demux(stream):
            if packet.size:
                count += 1
                if packet.pts is not None:
                    times.append(float(packet.pts * packet.time_base))
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        rate = stream.average_rate or stream.guessed_rate
        if not count:
            raise PreprocessorError(f"{where} has a video stream without frames")
        times.sort()
        _refuse_cut(container, stream, count=count, end=end - (times[0] if times else 0.0), where=where)
        start = times[0] if times else 0.0
        complete = len(times) == count
        return VideoMetadata(
            total_num_frames=count,
            fps=float(rate) if rate else None,
            times=tuple(time - start for time in times) if complete and rate else None,
        )


def _refuse_cut(container: Any, stream: Any, *, count: int, end: float, where: str) -> None:
    """What the library reads up to the cut without a word. Only AVI's headers count what is in the file; those of MP4
    count what an edit left out too.
    """
    if container.format.name == "avi" and count < 0.95 * stream.frames:
        raise PreprocessorError(
            f"{where} is cut off or damaged: its header speaks of {stream.frames} frames, and {count} are there"
        )
    lengths = [float(stream.duration * stream.time_base)] if stream.duration else []
    if container.duration and (lengths or len(container.streams) == 1):  # of other streams it may be the longest one's
        lengths.append(container.duration / 1_000_000)
    if lengths and end < 0.9 * min(lengths) - SHORT:
        raise PreprocessorError(f"{where} is cut off: {end:.2f} of its {min(lengths):.2f} seconds are there")


def _frames(
    av: Any, data: bytes | Path, where: str, wanted: frozenset[int], keep: Callable[[Any, str], np.ndarray]
) -> dict[int, np.ndarray]:
    found: dict[int, np.ndarray] = {}
    index = -1
    with _opened(av, data) as container:
        stream = _stream(container, where)
        try:
            for index, frame in enumerate(container.decode(stream)):
                if index not in wanted:
                    continue
                if frame.is_corrupt:
                    raise PreprocessorError(f"{where}, frame {index}, is damaged")
                found[index] = keep(frame.to_ndarray(format="rgb24"), f"{where}, frame {index},")
                if len(found) == len(wanted):
                    break
        except av.FFmpegError as error:
            raise PreprocessorError(f"{where}, frame {index + 1}, cannot be decoded: {error}") from error
    return found
