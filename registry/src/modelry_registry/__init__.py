"""Finds and describes Modelry plugins, without importing them."""

from modelry_registry.candidates import Candidate
from modelry_registry.current import get_registry, use_registry
from modelry_registry.errors import (
    AmbiguousName,
    BrokenPlugin,
    DisabledPlugin,
    IncompatiblePlugin,
    MissingPlugin,
    ModelryError,
    PackageError,
    RegistryError,
    UnknownName,
)
from modelry_registry.hookspecs import hookimpl
from modelry_registry.references import resolve
from modelry_registry.registrar import Registrar
from modelry_registry.registry import Registry
from modelry_registry.specs import (
    AttentionBackend,
    CheckpointFormat,
    Command,
    Decoder,
    HookSet,
    ModelFamily,
    Quantizer,
    Spec,
    Task,
)

__all__ = [
    "AmbiguousName",
    "AttentionBackend",
    "BrokenPlugin",
    "Candidate",
    "CheckpointFormat",
    "Command",
    "Decoder",
    "DisabledPlugin",
    "HookSet",
    "IncompatiblePlugin",
    "MissingPlugin",
    "ModelFamily",
    "ModelryError",
    "PackageError",
    "Quantizer",
    "Registrar",
    "Registry",
    "RegistryError",
    "Spec",
    "Task",
    "UnknownName",
    "get_registry",
    "hookimpl",
    "resolve",
    "use_registry",
]
