"""The visual-question-answering pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_visual_question_answering.parameters import VisualQuestionAnsweringParameters
    from modelry_visual_question_answering.pipeline import VisualQuestionAnsweringPipeline

__all__ = ["VisualQuestionAnsweringParameters", "VisualQuestionAnsweringPipeline"]

_WHERE = {"VisualQuestionAnsweringParameters": "parameters", "VisualQuestionAnsweringPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
