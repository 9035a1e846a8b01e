"""Which frames of a video are taken. Pure functions of what is known about it."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelry.errors import PreprocessorError
from modelry.preprocessing.videos.parameters import VideoParameters


@dataclass(frozen=True)
class VideoMetadata:
    """What is known about one video. Times are in seconds."""

    total_num_frames: int
    fps: float | None = None
    """Frames a second; None for frames without a clock."""
    times: tuple[float, ...] | None = None
    """When each frame is shown first; None where only fps is known."""
    frames_indices: tuple[int, ...] = ()
    """The frames taken."""

    @property
    def duration(self) -> float | None:
        """Seconds."""
        return None if self.fps is None else self.total_num_frames / self.fps

    @property
    def timestamps(self) -> tuple[float, ...] | None:
        """When the frames taken are shown; None for frames without a clock."""
        if self.times is not None:
            return tuple(self.times[index] for index in self.frames_indices)
        return None if self.fps is None else tuple(index / self.fps for index in self.frames_indices)


def sampled(metadata: VideoMetadata, parameters: VideoParameters, name: str) -> VideoMetadata:
    """The metadata with frames_indices as the parameters say.

    Raises:
        PreprocessorError: the video has too few frames, or too many, or no clock where one is needed.
    """
    p = parameters
    if not p.samples or (p.num_frames is None and p.fps is None and p.timestamps is None):
        found: Sequence[int] = range(metadata.total_num_frames)
    elif p.timestamps is not None:
        found = _at(metadata, p.timestamps, name)
    elif p.fps is not None:
        found = _spread(metadata, p.by_rate(metadata.total_num_frames, _clock(metadata, name)), name)
    else:
        found = _spread(metadata, p.by_number(), name)
    if len(found) > p.max_frames:
        raise PreprocessorError(
            f"{name}: {len(found)} frames would be taken, more than max_frames={p.max_frames}; pass num_frames, fps or "
            "timestamps to take fewer"
        )
    return replace(metadata, frames_indices=tuple(found))


def _clock(metadata: VideoMetadata, name: str) -> float:
    if metadata.fps is None:
        raise PreprocessorError(
            f"{name} is frames without a clock; to choose them by seconds, say how many there are in one: "
            'video_metadata={"fps": …}'
        )
    return metadata.fps


def _spread(metadata: VideoMetadata, count: int, name: str) -> list[int]:
    total = metadata.total_num_frames
    if count > total:
        raise PreprocessorError(f"{name} has {total} frames; {count} cannot be taken. Ask for fewer")
    return [index * total // count for index in range(count)]


def _at(metadata: VideoMetadata, seconds: Sequence[float], name: str) -> list[int]:
    """The frames that are shown at these times."""
    rate, last = _clock(metadata, name), metadata.total_num_frames - 1
    end = (last + 1) / rate if metadata.times is None else metadata.times[-1] + 1 / rate
    late = [time for time in seconds if time >= end]
    if late:
        raise PreprocessorError(f"{name} ends after {end:.2f} seconds; there is no frame at {late[0]:g}")
    if metadata.times is None:
        return [min(int(time * rate + 1e-6), last) for time in seconds]
    return [max(bisect_right(metadata.times, time + 1e-6) - 1, 0) for time in seconds]
