"""What turns text, images, video and sound into model inputs: tokenizers, processors, chat templates. Torch-free."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry.preprocessing.detokenizer import Detokenizer
    from modelry.preprocessing.encoding import BatchEncoding
    from modelry.preprocessing.feature_extractor import FeatureExtractor
    from modelry.preprocessing.features import BatchFeature
    from modelry.preprocessing.image_processor import ImageProcessor
    from modelry.preprocessing.preprocessor import Preprocessor
    from modelry.preprocessing.processor import Processor
    from modelry.preprocessing.tokenizer import Tokenizer
    from modelry.preprocessing.tool_schema import get_json_schema
    from modelry.preprocessing.video_processor import VideoProcessor

_ROOMS = {
    "BatchEncoding": "encoding",
    "BatchFeature": "features",
    "Detokenizer": "detokenizer",
    "FeatureExtractor": "feature_extractor",
    "ImageProcessor": "image_processor",
    "Preprocessor": "preprocessor",
    "Processor": "processor",
    "Tokenizer": "tokenizer",
    "VideoProcessor": "video_processor",
    "get_json_schema": "tool_schema",
}

__all__ = [
    "BatchEncoding",
    "BatchFeature",
    "Detokenizer",
    "FeatureExtractor",
    "ImageProcessor",
    "Preprocessor",
    "Processor",
    "Tokenizer",
    "VideoProcessor",
    "get_json_schema",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
