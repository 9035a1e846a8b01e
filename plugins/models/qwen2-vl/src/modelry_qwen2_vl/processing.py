"""Texts with images and videos for Qwen2-VL: each placeholder becomes as many as the picture has parts."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, ClassVar

from modelry.preprocessing.features import BatchFeature
from modelry.preprocessing.preprocessor import Preprocessor
from modelry.preprocessing.processor import Processor


class Qwen2VLProcessor(Processor):
    """A tokenizer, an image processor and a video processor."""

    parts: ClassVar[Mapping[str, type[Preprocessor] | str]] = {
        "tokenizer": "modelry.preprocessing.tokenizer:Tokenizer",
        "image_processor": "modelry_qwen2_vl.image_processing:Qwen2VLImageProcessor",
        "video_processor": "modelry_qwen2_vl.video_processing:Qwen2VLVideoProcessor",
    }
    placeholders: ClassVar[Mapping[str, str]] = {"image": "<|image_pad|>", "video": "<|video_pad|>"}

    def __call__(
        self, text: Any = None, images: Any = None, videos: Any = None, audio: Any = None, **options: Any
    ) -> BatchFeature:
        """As `Processor`, with mm_token_type_ids unless they are switched off."""
        return super().__call__(text, images, videos, audio, **{"return_mm_token_type_ids": True, **options})

    def expansions(self, kind: str, inputs: Mapping[str, Any]) -> Sequence[str]:
        """A placeholder for each square of patches."""
        token, part = self.placeholder(kind), self._part_for(kind)
        assert token is not None
        grids = inputs[f"{kind}_grid_thw"]
        return [token * (prod(int(one) for one in grid) // part.merge_size**2) for grid in grids]
