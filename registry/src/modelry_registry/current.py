"""The registry of the process, scanned once; and another one for the length of a `with` block."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock

from modelry_registry.registry import Registry

_injected: ContextVar[Registry | None] = ContextVar("modelry_registry", default=None)
_scanned: list[Registry] = []
_lock = RLock()  # strict mode imports plugins, and one may ask for the registry


def get_registry() -> Registry:
    """The registry in use here: the one of the enclosing `use_registry`, else that of the process.

    Raises:
        RegistryError: see `Registry`.
    """
    injected = _injected.get()
    if injected is not None:
        return injected
    with _lock:
        if not _scanned:
            _scanned.append(Registry())
        return _scanned[0]


@contextmanager
def use_registry(registry: Registry) -> Iterator[Registry]:
    """Make `get_registry` return `registry` inside the block, in this thread or task only."""
    token = _injected.set(registry)
    try:
        yield registry
    finally:
        _injected.reset(token)
