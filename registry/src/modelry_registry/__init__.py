"""Finds and describes Modelry plugins, without importing them.

Importing it imports almost nothing; a name brings its room along when it is first used.
"""

from typing import TYPE_CHECKING, Any

from modelry_registry.lazy import lazy_names

if TYPE_CHECKING:  # for readers of types, who do not run __getattr__
    from modelry_registry.candidates import Candidate as Candidate
    from modelry_registry.current import get_registry as get_registry
    from modelry_registry.current import use_registry as use_registry
    from modelry_registry.errors import AmbiguousName as AmbiguousName
    from modelry_registry.errors import BrokenPlugin as BrokenPlugin
    from modelry_registry.errors import DisabledPlugin as DisabledPlugin
    from modelry_registry.errors import IncompatiblePlugin as IncompatiblePlugin
    from modelry_registry.errors import MissingPlugin as MissingPlugin
    from modelry_registry.errors import ModelryError as ModelryError
    from modelry_registry.errors import PackageError as PackageError
    from modelry_registry.errors import RegistryError as RegistryError
    from modelry_registry.errors import UnknownName as UnknownName
    from modelry_registry.hookspecs import hookimpl as hookimpl
    from modelry_registry.references import resolve as resolve
    from modelry_registry.registrar import Registrar as Registrar
    from modelry_registry.registry import Registry as Registry
    from modelry_registry.specs import AttentionBackend as AttentionBackend
    from modelry_registry.specs import Callback as Callback
    from modelry_registry.specs import CheckpointFormat as CheckpointFormat
    from modelry_registry.specs import Command as Command
    from modelry_registry.specs import Decoder as Decoder
    from modelry_registry.specs import HookSet as HookSet
    from modelry_registry.specs import ModelFamily as ModelFamily
    from modelry_registry.specs import Optimizer as Optimizer
    from modelry_registry.specs import PublicName as PublicName
    from modelry_registry.specs import Quantizer as Quantizer
    from modelry_registry.specs import Schedule as Schedule
    from modelry_registry.specs import Spec as Spec
    from modelry_registry.specs import Task as Task

_ROOMS = {
    "candidates": "Candidate",
    "current": "get_registry use_registry",
    "errors": (
        "AmbiguousName BrokenPlugin DisabledPlugin IncompatiblePlugin MissingPlugin ModelryError PackageError "
        "RegistryError UnknownName"
    ),
    "hookspecs": "hookimpl",
    "references": "resolve",
    "registrar": "Registrar",
    "registry": "Registry",
    "specs": (
        "AttentionBackend Callback CheckpointFormat Command Decoder HookSet ModelFamily Optimizer PublicName "
        "Quantizer Schedule Spec Task"
    ),
}
"""Module to the public names it has."""

__all__ = sorted(" ".join(_ROOMS.values()).split())  # noqa: PLE0605  # the names above, which a reader of types sees too

_find, _names = lazy_names(__name__, _ROOMS)


def __getattr__(name: str) -> Any:
    return _find(name)


def __dir__() -> list[str]:
    return _names()
