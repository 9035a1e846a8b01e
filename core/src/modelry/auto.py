"""The Auto classes, in one place. What each finds is up to the registry; importing it brings no torch."""

from modelry import auto_heads
from modelry.auto_config import AutoConfig
from modelry.auto_heads import *  # noqa: F403  its __all__ is what this room passes on
from modelry.auto_model import HEADS, AutoModel
from modelry.auto_preprocessing import (
    AutoFeatureExtractor,
    AutoImageProcessor,
    AutoProcessor,
    AutoTokenizer,
    AutoVideoProcessor,
)

__all__ = [
    "HEADS",
    "AutoConfig",
    "AutoFeatureExtractor",
    "AutoImageProcessor",
    "AutoModel",
    "AutoProcessor",
    "AutoTokenizer",
    "AutoVideoProcessor",
]
__all__ += auto_heads.__all__
