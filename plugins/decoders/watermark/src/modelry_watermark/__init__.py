"""Watermarks in generated text: logits processors that mark, detectors that find."""

import importlib
from typing import Any

_WHERE = {
    "Detection": "detection",
    "GreenList": "green",
    "SynthIDTextDetector": "detection",
    "SynthIDTextWatermarkLogitsProcessor": "synthid",
    "SynthIDTextWatermarkingConfig": "parameters",
    "WatermarkDetector": "detection",
    "WatermarkLogitsProcessor": "green",
    "WatermarkingConfig": "parameters",
}
__all__ = [
    "Detection",
    "GreenList",
    "SynthIDTextDetector",
    "SynthIDTextWatermarkLogitsProcessor",
    "SynthIDTextWatermarkingConfig",
    "WatermarkDetector",
    "WatermarkLogitsProcessor",
    "WatermarkingConfig",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'modelry_watermark' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"modelry_watermark.{_WHERE[name]}"), name)
    globals()[name] = value
    return value
