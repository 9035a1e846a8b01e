"""The environment variables by which a user decides about plugins.

MODELRY_PLUGINS         only these distributions, comma-separated; empty means none
MODELRY_DISABLE_PLUGINS not these distributions
MODELRY_PREFER          kind:name=distribution, comma-separated: who provides a name that two do
MODELRY_HOOKS           names of kind "hooks" to switch on
MODELRY_STRICT_PLUGINS  1: validate every plugin at start and fail at the first sight of trouble
"""

from collections.abc import Mapping
from typing import NamedTuple

from modelry_registry.errors import RegistryError
from modelry_registry.naming import DISTRIBUTION, KINDS, NAME, canonical, quoted

ALLOW, DISABLE, PREFER = "MODELRY_PLUGINS", "MODELRY_DISABLE_PLUGINS", "MODELRY_PREFER"
HOOKS, STRICT = "MODELRY_HOOKS", "MODELRY_STRICT_PLUGINS"
_SWITCH = {"": False, "0": False, "false": False, "no": False, "off": False}
_SWITCH |= {"1": True, "true": True, "yes": True, "on": True}


class Controls(NamedTuple):
    """The variables, read once."""

    allowed: frozenset[str] | None
    """None: every distribution."""
    disabled: frozenset[str]
    preferred: Mapping[tuple[str, str], str]
    """(kind, name) to distribution."""
    observers: tuple[str, ...]
    strict: bool

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Controls":
        """Read and check the variables.

        Raises:
            RegistryError: a value cannot be understood; the message names the variable and its form.
        """
        allowed = environ.get(ALLOW)
        strict = environ.get(STRICT, "").strip().lower()
        if strict not in _SWITCH:
            raise RegistryError(f"{STRICT}={quoted(strict)} is neither 1 nor 0")
        return cls(
            allowed=None if allowed is None else frozenset(_distributions(ALLOW, allowed)),
            disabled=frozenset(_distributions(DISABLE, environ.get(DISABLE, ""))),
            preferred=_preferences(environ.get(PREFER, "")),
            observers=_observers(environ.get(HOOKS, "")),
            strict=_SWITCH[strict],
        )

    def switched_off_by(self, distribution: str) -> str:
        """The variable that switches a distribution off, or "" when it is on."""
        if distribution in self.disabled:
            return DISABLE
        return ALLOW if self.allowed is not None and distribution not in self.allowed else ""


def _items(value: str) -> list[str]:
    return [item.strip() for item in value.split(",") if item.strip()]


def _distributions(variable: str, value: str) -> list[str]:
    for item in _items(value):
        if not DISTRIBUTION.fullmatch(item):
            raise RegistryError(f"{variable} holds {quoted(item)}, which is not the name of a distribution")
    return [canonical(item) for item in _items(value)]


def _preferences(value: str) -> dict[tuple[str, str], str]:
    preferred = {}
    for item in _items(value):
        key, equals, distribution = item.partition("=")
        kind, _, name = key.partition(":")
        if kind not in KINDS or not NAME.fullmatch(name) or not equals or not DISTRIBUTION.fullmatch(distribution):
            raise RegistryError(
                f"{PREFER} holds {quoted(item)}; write kind:name=distribution, "
                f"for example tasks:toy=toy-plugin, separated by commas. Kinds: {', '.join(KINDS)}"
            )
        preferred[kind, name] = canonical(distribution)
    return preferred


def _observers(value: str) -> tuple[str, ...]:
    for item in _items(value):
        if not NAME.fullmatch(item):
            raise RegistryError(f"{HOOKS} holds {quoted(item)}, which is not a name of kind hooks")
    return tuple(dict.fromkeys(_items(value)))
