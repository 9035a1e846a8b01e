"""The zero-shot-classification pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_zero_shot_classification.parameters import ZeroShotClassificationParameters
    from modelry_zero_shot_classification.pipeline import ZeroShotClassificationPipeline

__all__ = ["ZeroShotClassificationParameters", "ZeroShotClassificationPipeline"]

_WHERE = {"ZeroShotClassificationParameters": "parameters", "ZeroShotClassificationPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
