"""Processors of images and films, and others with one mistake each."""

from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing import ImageProcessor, VideoProcessor
from modelry.preprocessing.features import BatchFeature


class Eye(ImageProcessor):
    """As the kernel's."""


class Squinting(ImageProcessor):
    """Takes channels that come first for rows."""

    def __call__(self, images: Any, **named: Any) -> BatchFeature:
        if isinstance(images, np.ndarray) and images.shape[0] == 3:
            images = np.ascontiguousarray(np.broadcast_to(images.mean(0)[:, :, None], (*images.shape[1:], 3)))
            images = images.astype(np.uint8)
        return super().__call__(images, **named)


class ColourBlind(ImageProcessor):
    """Keeps the one channel of grey pictures."""

    def __call__(self, images: Any, **named: Any) -> BatchFeature:
        found = super().__call__(images, **named)
        grey = isinstance(images, bytes) and bool((found["pixel_values"][0][0] == found["pixel_values"][0][1]).all())
        return BatchFeature({"pixel_values": [one[:1] for one in found["pixel_values"]]}) if grey else found


class Stubborn(ImageProcessor):
    """Remembers what was meant for one call."""

    def __call__(self, images: Any, **named: Any) -> BatchFeature:
        if "do_rescale" in named:
            self.parameters.do_rescale = named["do_rescale"]
        return super().__call__(images, **named)


class Credulous(ImageProcessor):
    """Sees black where there is nothing."""

    def __call__(self, images: Any, **named: Any) -> BatchFeature:
        try:
            return super().__call__(images, **named)
        except PreprocessorError as error:
            if "NaN" not in str(error):
                raise
            return super().__call__([np.nan_to_num(one) for one in images], **named)


class Watcher(VideoProcessor):
    """As the kernel's."""


class Hasty(VideoProcessor):
    """Takes the first frames instead of spreading them."""

    def __call__(self, videos: Any, **named: Any) -> BatchFeature:
        if isinstance(videos, np.ndarray) and "num_frames" in named:
            return super().__call__(videos[: named.pop("num_frames")], **named)
        return super().__call__(videos, **named)


class Backwards(VideoProcessor):
    """Turns lists of frames around."""

    def __call__(self, videos: Any, **named: Any) -> BatchFeature:
        if isinstance(videos, list) and getattr(videos[0], "ndim", 0) == 3:
            videos = videos[::-1]
        return super().__call__(videos, **named)


class Hallucinating(VideoProcessor):
    """Repeats the last frame where frames are missing."""

    def __call__(self, videos: Any, **named: Any) -> BatchFeature:
        count = named.get("num_frames")
        if count is not None and isinstance(videos, list):
            videos = [one if len(one) >= count else np.repeat(one[-1:], count, axis=0) for one in videos]
        return super().__call__(videos, **named)
