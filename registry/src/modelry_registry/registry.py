"""From (kind, name) to a spec: an index of what is installed, and the choice among it.

Specs and pluggy are imported when the first plugin is activated: an index needs neither.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, overload

from modelry_registry import failures
from modelry_registry.activation import Activation
from modelry_registry.candidates import IN_PROCESS, SUPPORTED_APIS, Candidate, Finding
from modelry_registry.controls import HOOKS, Controls
from modelry_registry.errors import BrokenPlugin, MissingPlugin, RegistryError
from modelry_registry.known import known_distribution
from modelry_registry.naming import canonical
from modelry_registry.references import resolve
from modelry_registry.scan import scan

if TYPE_CHECKING:
    import pluggy

    from modelry_registry.specs import (
        AttentionBackend,
        Callback,
        CheckpointFormat,
        Command,
        Decoder,
        HookSet,
        ModelFamily,
        Optimizer,
        PublicName,
        Quantizer,
        Schedule,
        Spec,
        Task,
    )


class Registry:
    """What is installed, who provides a name, and the specs of those that were asked for. Safe to share among threads.

    Args:
        candidates: the index; the installed distributions are scanned when None.
        environ: where the MODELRY_* variables are read, once; os.environ when None.
        in_process: specs given as objects (see `extended`).

    Raises:
        RegistryError: a variable is malformed; or MODELRY_STRICT_PLUGINS is on and anything is wrong with any plugin.
    """

    def __init__(
        self,
        candidates: Iterable[Candidate] | None = None,
        environ: Mapping[str, str] | None = None,
        *,
        in_process: "Mapping[Candidate, Spec] | None" = None,
    ) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._in_process = dict(in_process or {})
        self.controls = Controls.read(self._environ)
        self.scan_findings: tuple[Finding, ...] = ()
        if candidates is None:
            candidates, self.scan_findings = scan()
        self.candidates = tuple(sorted({*candidates, *self._in_process}))
        self._index: dict[tuple[str, str], list[Candidate]] = {}
        for one in self.candidates:
            self._index.setdefault((one.kind, one.name), []).append(one)
        self._activation = Activation(self.candidates)
        if self.controls.strict:
            from modelry_registry.health import validate

            validate(self)

    def extended(self, *specs: "Spec", distribution: str = "toy") -> "Registry":
        """A new registry with these specs besides everything in this one: for tests and notebooks.

        They are always switched on, and a name that is installed too is ambiguous, as ever.
        """
        owner = canonical(distribution)
        added = {
            Candidate(one.kind, one.key, SUPPORTED_APIS[one.kind][-1], owner, "0", IN_PROCESS): one for one in specs
        }
        installed = [one for one in self.candidates if one not in self._in_process]
        return Registry(installed, self._environ, in_process={**self._in_process, **added})

    @overload
    def get(self, kind: Literal["models"], name: str, *, plugin: str | None = None) -> "ModelFamily": ...
    @overload
    def get(self, kind: Literal["tasks"], name: str, *, plugin: str | None = None) -> "Task": ...
    @overload
    def get(self, kind: Literal["decoders"], name: str, *, plugin: str | None = None) -> "Decoder": ...
    @overload
    def get(self, kind: Literal["quantizers"], name: str, *, plugin: str | None = None) -> "Quantizer": ...
    @overload
    def get(self, kind: Literal["attention"], name: str, *, plugin: str | None = None) -> "AttentionBackend": ...
    @overload
    def get(self, kind: Literal["checkpoints"], name: str, *, plugin: str | None = None) -> "CheckpointFormat": ...
    @overload
    def get(self, kind: Literal["commands"], name: str, *, plugin: str | None = None) -> "Command": ...
    @overload
    def get(self, kind: Literal["hooks"], name: str, *, plugin: str | None = None) -> "HookSet": ...
    @overload
    def get(self, kind: Literal["optimizers"], name: str, *, plugin: str | None = None) -> "Optimizer": ...
    @overload
    def get(self, kind: Literal["schedules"], name: str, *, plugin: str | None = None) -> "Schedule": ...
    @overload
    def get(self, kind: Literal["callbacks"], name: str, *, plugin: str | None = None) -> "Callback": ...
    @overload
    def get(self, kind: Literal["names"], name: str, *, plugin: str | None = None) -> "PublicName": ...
    @overload
    def get(self, kind: str, name: str, *, plugin: str | None = None) -> "Spec": ...

    def get(self, kind: str, name: str, *, plugin: str | None = None) -> "Spec":
        """The spec of a name; the first use imports the plugin's light module.

        Args:
            kind: "models", "tasks", "decoders", "quantizers", "attention", "checkpoints", "commands", "hooks",
                "optimizers", "schedules", "callbacks" or "names".
            name: model_type, task name, ...; may come from an untrusted file.
            plugin: the distribution to take it from, where two provide it.

        Raises:
            UnknownName, MissingPlugin, DisabledPlugin, IncompatiblePlugin, AmbiguousName: as for `provider`.
            BrokenPlugin: the plugin fails to import or does not keep what its metadata promises.
        """
        return self.spec(self.provider(kind, name, plugin=plugin))

    def spec(self, candidate: Candidate) -> "Spec":
        """The spec of a candidate, however many others provide its name.

        Raises:
            BrokenPlugin: as for `get`.
        """
        given = self._in_process.get(candidate)
        return self._activation.spec(candidate) if given is None else given

    def provider(self, kind: str, name: str, *, plugin: str | None = None) -> Candidate:
        """Who provides a name. Imports nothing.

        Raises:
            UnknownName: nobody; or `plugin` does not.
            MissingPlugin: nobody installed, and a known package does.
            DisabledPlugin: every provider is switched off.
            IncompatiblePlugin: every provider that is on was made for another API version.
            AmbiguousName: several, and neither `plugin` nor MODELRY_PREFER chooses.
        """
        return self._choose(kind, name, plugin, "")

    def require(self, needs: Iterable[tuple[str, str]], *, asked_by: str, plugin: str | None = None) -> None:
        """Check that every (kind, name) has a provider, before anything is imported or downloaded.

        Args:
            needs: what one load needs.
            asked_by: what asks, for the message: the path of a config.json.
            plugin: a distribution to prefer for those names that it provides.

        Raises:
            MissingPlugin: with every missing name and one install line.
            RegistryError: what `provider` raises; of several failures of different kinds, one with all their messages.
        """
        errors: list[RegistryError] = []
        absent: list[tuple[str, str, str]] = []
        asked: list[tuple[str, str]] = []
        for kind, name in needs:
            if (kind, name) in asked:  # a list: an untrusted name may be unhashable
                continue
            asked.append((kind, name))
            try:
                failures.check_name(kind, name, asked_by=asked_by)
                mine = plugin if plugin is not None and self._provides(plugin, kind, name) else None
                self._choose(kind, name, mine, asked_by)
            except MissingPlugin:
                absent.append((kind, name, str(known_distribution(kind, name))))
            except RegistryError as error:
                if asked_by not in str(error):
                    error.args = (f"{asked_by}: {error}",)
                errors.append(error)
        if absent:
            errors.append(failures.missing(absent, asked_by=asked_by))
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise RegistryError("\n".join(f"{type(error).__name__}: {error}" for error in errors))

    def names(self, kind: str) -> tuple[str, ...]:
        """The names of a kind that are switched on and of a version we understand, sorted. Imports nothing."""
        failures.check_kind(kind)
        return tuple(sorted({one.name for one in self.candidates if one.kind == kind and self.usable(one)}))

    def usable(self, candidate: Candidate) -> bool:
        """Switched on, and of an API version we understand."""
        return candidate.supported and not self.switched_off_by(candidate)

    def switched_off_by(self, candidate: Candidate) -> str:
        """The environment variable that switches a candidate off, or "" when it is on."""
        return "" if candidate in self._in_process else self.controls.switched_off_by(candidate.distribution)

    def hooks(self, participants: Iterable[Candidate]) -> "pluggy.HookRelay":
        """The hooks of the plugins that take part in one load, and of the observers in MODELRY_HOOKS; nobody else's.

        What else was loaded in this process, before or after, plays no part. Participants are called in the order
        given, then the observers.

        Raises:
            RegistryError: MODELRY_HOOKS names something that cannot be found or used.
        """
        return self.hooks_of([*self.plugins(participants), *self._observers()])

    def hooks_of(self, plugins: Iterable[object]) -> "pluggy.HookRelay":
        """A caller over exactly these plugin objects, in this order.

        Raises:
            BrokenPlugin: one of them has a hook that does not fit its specification.
        """
        from modelry_registry.hookspecs import new_manager

        manager = new_manager()
        for plugin in reversed(_each_once(plugins)):  # pluggy calls the last registered first
            try:
                manager.register(plugin)
                manager.check_pending()
            except Exception as error:
                raise BrokenPlugin(f"the hooks of {plugin!r} cannot be used: {error}") from error
        return manager.hook

    def plugins(self, candidates: Iterable[Candidate]) -> list[object]:
        """The activated modules of candidates, each once."""
        modules = [self._activation.plugin(one) for one in candidates if one not in self._in_process]
        return _each_once(modules)

    def _observers(self) -> list[object]:
        found = []
        for name in self.controls.observers:
            try:
                found.append(resolve(self.get("hooks", name).hooks))
            except RegistryError as error:
                error.args = (f"{HOOKS} switches {name} on: {error}",)
                raise
        return found

    def _provides(self, plugin: str, kind: str, name: str) -> bool:
        return any(one.distribution == canonical(plugin) for one in self._index.get((kind, name), ()))

    def _choose(self, kind: str, name: str, plugin: str | None, asked_by: str) -> Candidate:
        failures.check_kind(kind)
        failures.check_name(kind, name, asked_by=asked_by)
        found = self._index.get((kind, name), [])
        if not found:
            raise failures.nobody(kind, name, self.names(kind), asked_by=asked_by)
        if plugin is not None:
            installed, found = found, [one for one in found if one.distribution == canonical(plugin)]
            if not found:
                raise failures.not_by(kind, name, plugin, installed)
        on = [one for one in found if not self.switched_off_by(one)]
        if not on:
            raise failures.disabled(found[0], self.switched_off_by(found[0]))
        usable = [one for one in on if one.supported]
        if not usable:
            raise failures.incompatible(on[0])
        newest = {one.distribution: one for one in usable}  # sorted by API version: one plugin may serve several
        preferred = self.controls.preferred.get((kind, name))
        if len(newest) > 1 and preferred not in newest:
            raise failures.ambiguous(list(newest.values()), preferred)
        return next(iter(newest.values())) if len(newest) == 1 else newest[str(preferred)]


def _each_once(objects: Iterable[object]) -> list[object]:
    """By identity: foreign objects need not be hashable."""
    return list({id(one): one for one in objects}.values())
