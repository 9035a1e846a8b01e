"""Examine one distribution's plugin, in a process of its own: `python -m modelry_registry.examine DISTRIBUTION`.

Prints a JSON list of [code, message] on standard output; whatever the plugin prints goes to standard error.
"""

import json
import os
import sys
from importlib.util import find_spec

from modelry_registry.candidates import Candidate
from modelry_registry.errors import RegistryError
from modelry_registry.naming import described
from modelry_registry.references import resolve
from modelry_registry.registry import Registry
from modelry_registry.specs import HookSet, Spec


def faults(registry: Registry, distribution: str) -> list[tuple[str, str]]:
    """(code, message) for everything wrong with a distribution: "broken", or "reported" by its own modelry_doctor."""
    mine = [one for one in registry.candidates if one.distribution == distribution and registry.usable(one)]
    found: list[tuple[str, str]] = []
    good: list[Candidate] = []
    specs: list[Spec] = []
    for candidate in mine:
        try:
            specs.append(registry.spec(candidate))
            good.append(candidate)
        except RegistryError as error:
            found.append(("broken", str(error)))
    for spec in specs:
        for label, reference in spec.references():
            fault = _unfindable(reference)
            if fault:
                found.append(("broken", f"{distribution}: {label} of {spec.kind}:{spec.key} is {reference}: {fault}"))
    found += _reported(registry, distribution, good, specs)
    return list(dict.fromkeys(found))


def _unfindable(reference: str) -> str:
    """Why the module of a reference cannot be found, or "". The module itself is not run: it may import torch."""
    module = reference.partition(":")[0]
    try:
        return "" if find_spec(module) else f"there is no module {module}"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # find_spec imports the parent package
        return described(error)


def _reported(registry: Registry, distribution: str, good: list[Candidate], specs: list[Spec]) -> list[tuple[str, str]]:
    try:
        plugins = registry.plugins(good)
        plugins += [
            resolve(spec.hooks)
            for spec in specs
            if isinstance(spec, HookSet) and spec.key in registry.controls.observers
        ]
        answers = registry.hooks_of(plugins).modelry_doctor()
        return [("reported", f"{distribution}: {message}") for answer in answers for message in answer]
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return [("broken", f"{distribution}: modelry_doctor failed: {described(error)}")]


def main() -> None:
    """Examine the distribution named on the command line."""
    report = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    json.dump(faults(Registry(), sys.argv[1]), report)
    report.close()


if __name__ == "__main__":
    main()
