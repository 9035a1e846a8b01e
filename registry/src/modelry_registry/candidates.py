"""What a distribution's metadata promises: one Candidate for each entry point. Nothing is imported."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from modelry_registry.naming import KINDS

SUPPORTED_APIS: Mapping[str, tuple[int, ...]] = MappingProxyType(dict.fromkeys(KINDS, (1,)))
"""Kind to the API versions this registry understands, ascending; the version is the end of `modelry.<kind>.v<api>`."""

IN_PROCESS = "<in process>"
"""The module of a spec that was handed over as an object, not by a package."""


class Candidate(NamedTuple):
    """One name that one distribution says it provides."""

    kind: str
    name: str
    api: int
    distribution: str
    """Canonical name (PEP 503)."""
    version: str
    module: str
    """The light module that registers the spec, imported on first use."""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({self.module})"

    @property
    def supported(self) -> bool:
        """Whether this registry speaks the API version the plugin was made for."""
        return self.api in SUPPORTED_APIS[self.kind]


class Finding(NamedTuple):
    """Something about the installation that a person should know."""

    problem: bool
    """False for a mere note (switched off by the user, shadowed)."""
    code: str
    """unreadable, malformed, shadowed, disabled, ambiguous, incompatible, unmatched, broken, reported."""
    distribution: str
    message: str
