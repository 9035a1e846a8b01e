"""The DETR family for Modelry. Public names are loaded when they are used."""

from importlib import import_module
from typing import Any

_ROOMS = {
    "DetrConfig": "configuration",
    "DetrModel": "modeling",
    "DetrForObjectDetection": "detection",
    "DetrForSegmentation": "segmentation",
    "DetrModelOutput": "outputs",
    "DetrObjectDetectionOutput": "outputs",
    "DetrSegmentationOutput": "outputs",
}
__all__ = list(_ROOMS)


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
