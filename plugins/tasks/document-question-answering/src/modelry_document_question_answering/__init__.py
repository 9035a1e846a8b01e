"""The document-question-answering pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_document_question_answering.parameters import DocumentQuestionAnsweringParameters
    from modelry_document_question_answering.pipeline import DocumentQuestionAnsweringPipeline

__all__ = ["DocumentQuestionAnsweringParameters", "DocumentQuestionAnsweringPipeline"]

_WHERE = {"DocumentQuestionAnsweringParameters": "parameters", "DocumentQuestionAnsweringPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
