"""What a video_preprocessor_config.json means: an image's settings for every frame, and which frames. Plain data."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from modelry.preprocessing.images.parameters import ImageParameters
from modelry.preprocessing.images.published import Published, published, published_name

_CLIP_CROP = {**published("CLIP").defaults}
_IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
_PIXEL_VALUES = {"output_name": "pixel_values"}

_TABLE: Mapping[str, Published] = {
    "LlavaNextVideo": Published(_CLIP_CROP, square=False),
    "LlavaOnevision": Published(
        {**published("Siglip").defaults, **_CLIP_CROP, "size": {"height": 384, "width": 384}, "do_center_crop": False}
    ),
    "Timesformer": Published({**published("VideoMAE").defaults, **_IMAGENET, **_PIXEL_VALUES}, square=False),
    "VJEPA2": Published(
        {
            **published("VideoMAE").defaults,
            **_IMAGENET,
            "size": {"shortest_edge": 292},
            "crop_size": {"height": 256, "width": 256},
        },
        square=False,
    ),
    "VideoLlava": Published(_CLIP_CROP, square=False),
    "VideoMAE": Published({**published("VideoMAE").defaults, **_PIXEL_VALUES}, square=False),
}

WITH_STEPS_OF_THEIR_OWN = frozenset(
    {
        "Glm4v", "InstructBlipVideo", "InternVL", "PerceptionLM", "Qwen2VL", "Qwen3VL", "Sam2", "SmolVLM",
        "VideoLlama3", "Vivit",
    }
)  # fmt: skip
"""Processors that do what no key of their files says; their families bring a processor of their own."""


class VideoParameters(ImageParameters):
    """Keys of video_preprocessor_config.json. Of num_frames, fps and timestamps at most one chooses frames."""

    video_processor_type: str | None = Field(None, description="which published processor wrote the file")
    do_sample_frames: bool | None = Field(None, description="None samples where one of the next three says how")
    num_frames: int | None = Field(None, gt=0, description="so many frames, evenly spread")
    fps: float | None = Field(None, gt=0, description="so many frames a second")
    timestamps: list[Annotated[float, Field(ge=0)]] | None = Field(None, description="seconds; the frame shown then")
    max_frames: int = Field(768, gt=0, description="the most frames of one video; more is an error")
    return_metadata: bool = False
    output_name: str = "pixel_values_videos"

    @classmethod
    def implied(cls, values: Mapping[str, Any]) -> Published:
        """What the published video processor's name implies; an image processor's where it has none of its own."""
        name = published_name(values)
        return _TABLE.get(name) or published(name)

    @property
    def samples(self) -> bool:
        """Whether frames are chosen among those of the video."""
        ways = (self.num_frames, self.fps, self.timestamps)
        return any(way is not None for way in ways) if self.do_sample_frames is None else self.do_sample_frames

    def by_number(self) -> int:
        """How many frames num_frames takes."""
        return self.num_frames or 1

    def by_rate(self, total: int, clock: float) -> int:
        """How many of `total` frames, of which there are `clock` a second, fps takes."""
        return max(1, int(total / clock * (self.fps or 0)))

    def settled(self, frames: int) -> Self:
        """What holds for the frames of a video of which so many are taken; families have bounds for all together."""
        return self

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [name for name in ("num_frames", "fps", "timestamps") if getattr(self, name) is not None]
        if len(ways) > 1 and self.do_sample_frames is not False:
            raise ValueError(f"{' and '.join(ways)} exclude each other; give one of them")
        if self.video_processor_type is None and self.image_processor_type is not None:
            object.__setattr__(
                self, "video_processor_type", self.image_processor_type.replace("ImageProcessor", "VideoProcessor")
            )
        return self
