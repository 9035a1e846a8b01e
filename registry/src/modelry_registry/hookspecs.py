"""The hooks a plugin may implement. Each is API for ever; an implementation may take fewer arguments.

`modelry_register` is what every plugin implements in its `_plugin.py`. The others are cross-cutting: they run over the
plugins that take part in one load, and over the observers that the user switched on with MODELRY_HOOKS.
"""

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from modelry_registry.registrar import Registrar

PROJECT = "modelry"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hookspecs:
    """The signatures that pluggy checks implementations against."""

    @hookspec(historic=True)
    def modelry_register(self, registrar: "Registrar") -> None:
        """Hand over this plugin's specs. Import nothing but modelry_registry."""

    @hookspec
    def modelry_before_load(self, reference: str, config: object) -> None:
        """Called with what the user asked for and its validated config, before any tensor is read. Raise to refuse."""

    @hookspec
    def modelry_after_load(self, model: object) -> None:
        """Called with the finished model, in eval mode, all tensors in place."""

    @hookspec
    def modelry_logits_processors(self, config: object) -> list[object] | None:
        """Return logits processors to append to a generation, given its GenerationConfig."""

    @hookspec
    def modelry_doctor(self) -> list[str]:  # type: ignore[empty-body]  # a specification has none
        """Return what is wrong on this machine, one sentence each (a missing driver, a library too old)."""


def new_manager() -> pluggy.PluginManager:
    """A pluggy manager that knows our hooks and no plugin."""
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hookspecs)
    return manager
