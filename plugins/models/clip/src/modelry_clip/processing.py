"""Texts and images for CLIP in one call."""

from collections.abc import Mapping
from typing import ClassVar

from modelry.preprocessing.preprocessor import Preprocessor
from modelry.preprocessing.processor import Processor


class CLIPProcessor(Processor):
    """A tokenizer and an image processor; images stand beside the texts."""

    parts: ClassVar[Mapping[str, type[Preprocessor] | str]] = {
        "tokenizer": "modelry.preprocessing.tokenizer:Tokenizer",
        "image_processor": "modelry.preprocessing.image_processor:ImageProcessor",
    }
