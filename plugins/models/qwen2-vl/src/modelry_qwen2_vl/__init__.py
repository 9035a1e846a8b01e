"""The Qwen2-VL family for Modelry. Public names are loaded when they are used."""

from importlib import import_module
from typing import Any

_ROOMS = {
    "Qwen2VLConfig": "configuration",
    "Qwen2VLForConditionalGeneration": "modeling",
    "Qwen2VLImageProcessor": "image_processing",
    "Qwen2VLModel": "modeling",
    "Qwen2VLProcessor": "processing",
    "Qwen2VLTextConfig": "configuration",
    "Qwen2VLTextModel": "text",
    "Qwen2VLVideoProcessor": "video_processing",
    "Qwen2VLVisionConfig": "configuration",
    "Qwen2VisionTransformerPretrainedModel": "vision",
}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
