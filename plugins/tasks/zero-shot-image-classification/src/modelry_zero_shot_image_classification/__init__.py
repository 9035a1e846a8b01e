"""The zero-shot-image-classification pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_zero_shot_image_classification.parameters import ZeroShotImageClassificationParameters
    from modelry_zero_shot_image_classification.pipeline import ZeroShotImageClassificationPipeline

__all__ = ["ZeroShotImageClassificationParameters", "ZeroShotImageClassificationPipeline"]

_WHERE = {"ZeroShotImageClassificationParameters": "parameters", "ZeroShotImageClassificationPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
