"""What preprocessor files of Qwen2-VL mean beyond those of other families: bounds on pixels, frames, and patches."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, PositiveInt, model_validator

from modelry.preprocessing.images.parameters import ImageParameters, Size
from modelry.preprocessing.images.published import Published, published
from modelry.preprocessing.videos.parameters import VideoParameters

_EDGES = {"shortest_edge": "min_pixels", "longest_edge": "max_pixels"}
"""Keys of `size`, which bound the number of pixels, and their older names."""
_USUAL = published("Qwen2VL")
_OF_VIDEOS = Published(
    {**_USUAL.defaults, "size": {"shortest_edge": 128 * 28 * 28, "longest_edge": 768 * 28 * 28}}, edges_are_pixels=True
)


def with_edges(values: Any, usual: Published) -> Any:
    """Values of a file with both bounds under their newer names in `size`."""
    if not isinstance(values, Mapping):
        return values
    found = dict(values)
    size = found.get("size")
    given = {**(size if isinstance(size, Mapping) else {}), **{old: found.pop(old, None) for old in _EDGES.values()}}
    if size is not None and not isinstance(size, Mapping):
        raise ValueError(f"size is {size!r}; shortest_edge and longest_edge, in pixels of a picture, are needed")
    if not isinstance(size, Mapping) and all(one is None for one in given.values()):
        return found
    edges = {**usual.defaults["size"], **{key: one for key, one in given.items() if key in _EDGES and one is not None}}
    edges |= {new: given[old] for new, old in _EDGES.items() if given.get(old) is not None}
    other = sorted(set(given) - {*_EDGES, *_EDGES.values()})
    if other:
        raise ValueError(f"size has {', '.join(other)}; its keys are shortest_edge and longest_edge, numbers of pixels")
    if all(isinstance(one, int) for one in edges.values()) and edges["shortest_edge"] > edges["longest_edge"]:
        raise ValueError(f"at least {edges['shortest_edge']} and at most {edges['longest_edge']} pixels cannot be")
    found["size"] = edges
    return found


Bounds = Annotated[
    Size | None, Field(description="shortest_edge and longest_edge: fewest and most pixels of a picture or frame")
]
Older = Annotated[PositiveInt | None, Field(description="older name of a bound in size")]
Frames = Annotated[PositiveInt, Field(description="frames that one patch spans")]


class Qwen2VLImageParameters(ImageParameters):
    """Keys of preprocessor_config.json."""

    size: Bounds = None
    min_pixels: Older = None
    max_pixels: Older = None
    patch_size: PositiveInt = 14
    merge_size: PositiveInt = 2
    temporal_patch_size: Frames = 2

    @classmethod
    def implied(cls, values: Mapping[str, Any]) -> Published:
        """The family's, whatever the file calls it."""
        return _USUAL

    @model_validator(mode="before")
    @classmethod
    def _edges(cls, values: Any) -> Any:
        return with_edges(values, _USUAL)


class Qwen2VLVideoParameters(VideoParameters):
    """Keys of video_preprocessor_config.json."""

    size: Bounds = None
    min_pixels: Older = None
    max_pixels: Older = None
    patch_size: PositiveInt = 14
    merge_size: PositiveInt = 2
    temporal_patch_size: Frames = 2
    do_sample_frames: bool | None = False
    min_frames: PositiveInt = Field(4, description="the fewest frames that fps takes")
    max_frames: PositiveInt = Field(768, description="the most frames that fps takes; more in another way is an error")
    cap_pixels_per_frame: bool | None = Field(None, description="bound the pixels of all frames together too")
    max_video_tokens: PositiveInt = Field(128000, description="what that bound follows from, with a tenth to spare")

    @classmethod
    def implied(cls, values: Mapping[str, Any]) -> Published:
        """The family's, whatever the file calls it."""
        return _OF_VIDEOS

    @model_validator(mode="before")
    @classmethod
    def _edges(cls, values: Any) -> Any:
        return with_edges(values, _OF_VIDEOS)

    def by_number(self) -> int:
        """As many frames as patches span, near num_frames."""
        return self._whole(round((self.num_frames or 1) / self.temporal_patch_size))

    def by_rate(self, total: int, clock: float) -> int:
        """As many frames as patches span, not less than min_frames nor more than max_frames where the film has them."""
        span = self.temporal_patch_size
        most = math.floor(min(self.max_frames, total) / span) * span
        wanted = min(max(total / clock * (self.fps or 0), self.min_frames), most, total)
        return self._whole(math.floor(wanted / span)) if total >= span else total

    def settled(self, frames: int) -> Self:
        """With an even share of the pixels of all frames as the most that one may have."""
        if not self.cap_pixels_per_frame or self.size is None:
            return self
        factor = self.patch_size * self.merge_size
        together = int(self.max_video_tokens * factor * factor * 0.9)
        share = min(self.size["longest_edge"], together * self.temporal_patch_size // frames)
        most = max(share, int(self.size["shortest_edge"] * 1.05))
        return self.model_copy(update={"size": {**self.size, "longest_edge": most}})

    def _whole(self, patches: int) -> int:
        return max(patches, 1) * self.temporal_patch_size
