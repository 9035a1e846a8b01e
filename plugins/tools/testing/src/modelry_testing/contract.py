"""What a contract is: a class whose `test_…` methods are checks. pytest runs them; so does `run`, without files.

This module imports no torch. The checks of every kind's package are here; each kind adds its own in its own file.
"""

from collections.abc import Callable, Iterator
from functools import wraps
from time import perf_counter
from typing import Any, ClassVar, TypeVar

import pytest

from modelry_registry import Registry, get_registry, resolve, use_registry
from modelry_registry.candidates import IN_PROCESS
from modelry_registry.specs import Spec
from modelry_testing import package_checks
from modelry_testing.errors import ContractBroken
from modelry_testing.outcomes import FAILED, PASSED, SKIPPED, Outcome
from modelry_testing.packages import Package

C = TypeVar("C", bound="Contract")


def check(*, after: tuple[str, ...] = ()) -> Callable[[Callable[[C], None]], Callable[[C], None]]:
    """Make a method a check: it runs inside the contract's registry, once a class, and its outcome is remembered.

    Args:
        after: the checks that this one stands on. Where one of them failed, this one is skipped and says so, so that
            one mistake in a plugin is one failure. Names that a contract does not have are passed over.
    """

    def decorate(method: Callable[[C], None]) -> Callable[[C], None]:
        @wraps(method)
        def run_once(self: C) -> None:
            remembered: dict[str, BaseException | None] = self.remembered("outcomes", dict)
            name = method.__name__
            if name not in remembered:
                remembered[name] = self._attempt(method, after)
            raised = remembered[name]
            if raised is not None:
                raise raised

        return run_once

    return decorate


class StandsOnFailure(pytest.skip.Exception):  # type: ignore[name-defined,misc]  # an attribute that pytest gives it
    """A check was skipped because one that it stands on failed, or was skipped for this reason."""


class Contract:
    """What all contracts share. A subclass says which plugin it is about.

    `registry` is for plugins that are not installed (tests, notebooks); None means what is installed.
    """

    kind: ClassVar[str] = ""
    name: ClassVar[str] = ""
    _memory: ClassVar[dict[str, Any]]
    registry: ClassVar[Registry | None] = None
    by_name: ClassVar[bool] = False
    """Whether nobody wrote a test class: what only its author could have said is then told in a skip."""

    @classmethod
    def label(cls) -> str:
        """What reports call the plugin."""
        return f"{cls.kind}:{cls.name}"

    @classmethod
    def checks(cls) -> tuple[str, ...]:
        """The names of all checks, those of the package first."""
        names: dict[str, None] = {}
        for one in reversed(cls.__mro__):
            names.update(dict.fromkeys(name for name in vars(one) if name.startswith("test_")))
        return tuple(names)

    @classmethod
    def remembered(cls, key: str, make: Callable[[], Any]) -> Any:
        """What `make` returned the first time, kept for this class: checks share models and outcomes."""
        if "_memory" not in cls.__dict__:
            cls._memory = {}
        if key not in cls._memory:
            cls._memory[key] = make()
        return cls._memory[key]

    @classmethod
    def found_in(cls) -> Registry:
        """The registry that knows the plugin."""
        return cls.registry if cls.registry is not None else get_registry()

    @classmethod
    def spec(cls) -> Spec:
        """What the plugin registered under its name."""
        return cls.found_in().get(cls.kind, cls.name)

    @classmethod
    def package(cls) -> Package:
        """The plugin's distribution as a user would install it; skips where the plugin has none."""
        provider = cls.found_in().provider(cls.kind, cls.name)
        if provider.module == IN_PROCESS:
            pytest.skip(f"{cls.name} is registered in this process: there is no package to look at")
        return Package.of(provider.distribution)

    def _attempt(self: C, method: Callable[[C], None], after: tuple[str, ...]) -> BaseException | None:
        with use_registry(self.found_in()):
            for earlier in (one for one in after if hasattr(self, one)):
                try:
                    getattr(self, earlier)()
                except StandsOnFailure as skipped:
                    return skipped
                except pytest.skip.Exception:
                    continue
                except Exception:
                    return StandsOnFailure(f"stands on {earlier}, which failed")
            try:
                method(self)
            except (Exception, pytest.skip.Exception) as raised:
                return raised
        return None

    @check(after=("test_entry_points",))
    def test_registered(self) -> None:
        """The plugin registers what it declared, and everything it refers to exists."""
        spec = self.spec()
        if spec.key != self.name or spec.kind != self.kind:
            raise ContractBroken(f"{self.kind}:{self.name} is answered by {spec.kind}:{spec.key}")
        for _, reference in spec.references():
            resolve(reference)


class PluginContract(Contract):
    """What every plugin keeps, whatever its kind: an honest package that is cheap to look at."""

    @check()
    def test_package_metadata(self) -> None:
        """The built wheel has a summary, a readme, a licence, a Python floor, and floors without caps."""
        package_checks.metadata(self.package())

    @check()
    def test_entry_points(self) -> None:
        """Every entry point names a kind, an API version and a module of the wheel; the plugin's name is among them."""
        package_checks.entry_points(self.package(), kind=self.kind, name=self.name)

    @check(after=("test_entry_points",))
    def test_declaration_imports_lightly(self) -> None:
        """Importing `_plugin` in a fresh interpreter needs no torch and takes less than 100 ms of CPU."""
        package_checks.light_import(self.package())

    @check()
    def test_dependencies(self) -> None:
        """What the package imports comes with its declared dependencies, and is not another plugin."""
        package_checks.dependencies(self.package())


def run(contract: type[Contract]) -> Iterator[Outcome]:
    """Run every check of a contract and yield what came of each, in order."""
    subject = contract()
    for name in contract.checks():
        start = perf_counter()
        status, reason = PASSED, ""
        try:
            getattr(subject, name)()
        except pytest.skip.Exception as skipped:
            status, reason = SKIPPED, str(skipped.msg)
        except Exception as failure:
            status, reason = FAILED, f"{type(failure).__name__}: {failure}"
        yield Outcome(contract.label(), name, status, reason, perf_counter() - start)
