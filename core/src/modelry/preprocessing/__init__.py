"""What turns text, images, video and sound into model inputs: tokenizers, processors, chat templates. Torch-free."""

from typing import TYPE_CHECKING

from modelry_registry.lazy import lazy_names

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

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "encoding": "BatchEncoding",
        "features": "BatchFeature",
        "detokenizer": "Detokenizer",
        "feature_extractor": "FeatureExtractor",
        "image_processor": "ImageProcessor",
        "preprocessor": "Preprocessor",
        "processor": "Processor",
        "tokenizer": "Tokenizer",
        "video_processor": "VideoProcessor",
        "tool_schema": "get_json_schema",
    },
)
