"""Import a plugin's light module and let it register, once, under a lock; undo everything when it fails."""

from collections.abc import Iterable
from importlib import import_module
from threading import RLock
from typing import TYPE_CHECKING

from modelry_registry.candidates import Candidate
from modelry_registry.errors import BrokenPlugin
from modelry_registry.naming import MODULE, described, quoted

if TYPE_CHECKING:
    import pluggy

    from modelry_registry.registrar import Registrar
    from modelry_registry.specs import Spec


class Activation:
    """The plugins of one registry that have been imported, the specs they gave, and those that failed."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._candidates = tuple(candidates)
        self._lock = RLock()
        self._opened: tuple[pluggy.PluginManager, Registrar] | None = None
        self._specs: dict[tuple[str, str, str], Spec] = {}
        self._plugins: dict[tuple[str, str], object] = {}
        self._broken: dict[tuple[str, str], tuple[str, BaseException | None]] = {}

    def spec(self, candidate: Candidate) -> "Spec":
        """The spec that a candidate promised.

        Raises:
            BrokenPlugin: the plugin fails to import, exits, has no valid hook, registers a name that it does not
                declare, or does not register this one. The first failure is remembered and told again.
        """
        key = (candidate.kind, candidate.name, candidate.distribution)
        if key not in self._specs:
            self.plugin(candidate)
        if key not in self._specs:
            raise BrokenPlugin(
                f"{candidate}: its metadata declares {candidate.kind}:{candidate.name}, and modelry_register does not "
                "register it. Register it in that module, or remove the entry point and reinstall"
            )
        return self._specs[key]

    def plugin(self, candidate: Candidate) -> object:
        """The imported module of a candidate, activated.

        Raises:
            BrokenPlugin: as for `spec`.
        """
        key = (candidate.distribution, candidate.module)
        with self._lock:
            if key in self._broken:
                message, cause = self._broken[key]
                raise BrokenPlugin(message) from cause
            if key not in self._plugins:
                try:
                    self._activate(candidate)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # ImportError, SyntaxError, SystemExit, PluginValidationError, ...
                    known = isinstance(error, BrokenPlugin)
                    message = str(error) if known else f"{candidate} cannot be used: {described(error)}"
                    cause = error.__cause__ if known else error
                    self._broken[key] = (message, cause)
                    raise BrokenPlugin(message) from cause
            return self._plugins[key]

    def _activate(self, candidate: Candidate) -> None:
        if not MODULE.fullmatch(candidate.module):
            raise BrokenPlugin(
                f"{candidate.distribution} {candidate.version}: its entry point {candidate.kind}:{candidate.name} "
                f"holds {quoted(candidate.module)}, which is not the name of a module"
            )
        plugin = import_module(candidate.module)
        manager, registrar = self._open()
        owner = manager.get_name(plugin)
        if owner is not None:
            raise BrokenPlugin(f"{candidate}: its module belongs to {owner} too. Uninstall one of the two")
        label = f"{candidate.distribution}:{candidate.module}"
        try:
            with registrar.collecting() as specs:
                manager.register(plugin, label)
            manager.check_pending()
            self._check(candidate, plugin, specs, manager)
        except BaseException:
            # pluggy keeps a plugin whose historic call raised.
            if manager.has_plugin(label):
                manager.unregister(name=label)
            raise
        self._specs.update({(spec.kind, spec.key, candidate.distribution): spec for spec in specs})
        self._plugins[candidate.distribution, candidate.module] = plugin

    def _open(self) -> "tuple[pluggy.PluginManager, Registrar]":
        """pluggy's manager and the registrar that it hands to every plugin, made for the first of them."""
        if self._opened is None:
            from modelry_registry.hookspecs import new_manager
            from modelry_registry.registrar import Registrar

            manager, registrar = new_manager(), Registrar()
            manager.hook.modelry_register.call_historic(kwargs={"registrar": registrar})
            self._opened = manager, registrar
        return self._opened

    def _check(
        self, candidate: Candidate, plugin: object, specs: "list[Spec]", manager: "pluggy.PluginManager"
    ) -> None:
        if not any(one.plugin is plugin for one in manager.hook.modelry_register.get_hookimpls()):
            raise BrokenPlugin(
                f"{candidate} does not implement modelry_register. Write there: "
                "@hookimpl def modelry_register(registrar): ..."
            )
        home = (candidate.distribution, candidate.module)
        declared = {(one.kind, one.name) for one in self._candidates if (one.distribution, one.module) == home}
        undeclared = sorted(f"{spec.kind}:{spec.key}" for spec in specs if (spec.kind, spec.key) not in declared)
        if undeclared:
            raise BrokenPlugin(
                f"{candidate} registers {', '.join(undeclared)}, which its metadata does not declare. "
                "Add the entry point to its pyproject.toml and reinstall it"
            )
