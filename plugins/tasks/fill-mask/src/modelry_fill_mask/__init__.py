"""The fill-mask pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_fill_mask.parameters import FillMaskParameters
    from modelry_fill_mask.pipeline import FillMaskPipeline

__all__ = ["FillMaskParameters", "FillMaskPipeline"]

_WHERE = {"FillMaskParameters": "parameters", "FillMaskPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
