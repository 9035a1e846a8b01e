"""Modelry's models in lm-evaluation-harness. Importing it imports neither torch nor the harness."""

from typing import TYPE_CHECKING, Any

from modelry_registry.lazy import lazy_names

if TYPE_CHECKING:  # for readers of types, who do not run __getattr__
    from modelry_lm_eval.model import ModelryLM as ModelryLM
    from modelry_lm_eval.registering import register as register

_ROOMS = {"model": "ModelryLM", "registering": "register"}
"""Module to the public names it has."""

__all__ = ["ModelryLM", "register"]

_find, _names = lazy_names(__name__, _ROOMS)


def __getattr__(name: str) -> Any:
    return _find(name)


def __dir__() -> list[str]:
    return _names()
