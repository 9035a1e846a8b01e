"""Import a plugin's light module and let it register, once, under a lock; undo everything when it fails."""

from collections.abc import Iterable
from importlib import import_module
from threading import RLock

import pluggy

from modelry_registry.candidates import Candidate
from modelry_registry.errors import BrokenPlugin
from modelry_registry.hookspecs import new_manager
from modelry_registry.naming import MODULE, described, quoted
from modelry_registry.registrar import Registrar
from modelry_registry.specs import Spec


class Activation:
    """The plugins of one registry that have been imported, the specs they gave, and those that failed."""

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._candidates = tuple(candidates)
        self._lock = RLock()
        self._manager: pluggy.PluginManager | None = None
        self._registrar = Registrar()
        self._specs: dict[tuple[str, str, str], Spec] = {}
        self._plugins: dict[tuple[str, str], object] = {}
        self._broken: dict[tuple[str, str], tuple[str, BaseException | None]] = {}

    def spec(self, candidate: Candidate) -> Spec:
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
        if self._manager is None:
            self._manager = new_manager()
            self._manager.hook.modelry_register.call_historic(kwargs={"registrar": self._registrar})
        owner = self._manager.get_name(plugin)
        if owner is not None:
            raise BrokenPlugin(f"{candidate}: its module belongs to {owner} too. Uninstall one of the two")
        label = f"{candidate.distribution}:{candidate.module}"
        try:
            with self._registrar.collecting() as specs:
                self._manager.register(plugin, label)
            self._manager.check_pending()
            self._check(candidate, plugin, specs)
        except BaseException:
            # pluggy keeps a plugin whose historic call raised.
            if self._manager.has_plugin(label):
                self._manager.unregister(name=label)
            raise
        self._specs.update({(spec.kind, spec.key, candidate.distribution): spec for spec in specs})
        self._plugins[candidate.distribution, candidate.module] = plugin

    def _check(self, candidate: Candidate, plugin: object, specs: list[Spec]) -> None:
        assert self._manager is not None
        if not any(one.plugin is plugin for one in self._manager.hook.modelry_register.get_hookimpls()):
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
