"""The sentence-embedding pipeline for Modelry."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelry_sentence_embedding.parameters import SentenceEmbeddingParameters
    from modelry_sentence_embedding.pipeline import SentenceEmbeddingPipeline

__all__ = ["SentenceEmbeddingParameters", "SentenceEmbeddingPipeline"]

_WHERE = {"SentenceEmbeddingParameters": "parameters", "SentenceEmbeddingPipeline": "pipeline"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
