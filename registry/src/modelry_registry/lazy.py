"""Public names of a package that bring their module along when they are first used."""

import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Any


def lazy_names(
    package: str, rooms: Mapping[str, str], *, modules: Collection[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """What a package's `__getattr__` and `__dir__` answer.

    Args:
        package: its __name__.
        rooms: module of the package to the public names it has, with spaces between.
        modules: those that are public under their own names.
    """
    room_of = {name: f"{package}.{room}" for room, names in rooms.items() for name in names.split()}

    def find(name: str) -> Any:
        if name in modules:
            return import_module(f"{package}.{name}")
        room = room_of.get(name)
        if room is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(room), name)
        setattr(sys.modules[package], name, value)  # the next time nobody asks
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules, *room_of})

    return find, names
