"""What is wrong with an installation: all that metadata can tell, and, in strict mode, all that activation can."""

from modelry_registry import failures
from modelry_registry.candidates import Finding
from modelry_registry.controls import ALLOW, HOOKS, STRICT
from modelry_registry.errors import AmbiguousName, RegistryError
from modelry_registry.registry import Registry

RESERVED_COMMANDS = ("plugins",)


def inspect_metadata(registry: Registry) -> list[Finding]:
    """Unreadable, malformed, shadowed, disabled, incompatible, ambiguous, unmatched. Imports no plugin."""
    findings = list(registry.scan_findings)
    for one in registry.candidates:
        variable = registry.switched_off_by(one)
        if variable:
            message = f"{one.kind}:{one.name} of {one} is switched off by {variable}"
            findings.append(Finding(False, "disabled", one.distribution, message))
        elif not one.supported:
            findings.append(Finding(True, "incompatible", one.distribution, str(failures.incompatible(one))))
        elif one.kind == "commands" and one.name in RESERVED_COMMANDS:
            message = f"{one}: the command {one.name!r} is built in and hides the plugin's"
            findings.append(Finding(True, "malformed", one.distribution, message))
    for kind, name in dict.fromkeys((one.kind, one.name) for one in registry.candidates):
        try:
            registry.provider(kind, name)
        except AmbiguousName as error:
            findings.append(Finding(True, "ambiguous", "", str(error)))
        except RegistryError:
            pass  # disabled and incompatible ones are listed above, one by one
    return findings + _unmatched(registry)


def _unmatched(registry: Registry) -> list[Finding]:
    """What the user's variables name and nobody has."""
    installed = {one.distribution for one in registry.candidates}
    unused = sorted((registry.controls.allowed or frozenset()) - installed)
    absent = [f"{ALLOW} names {one}, which is not installed" for one in unused]
    for (kind, name), distribution in sorted(registry.controls.preferred.items()):
        if not any((one.kind, one.name, one.distribution) == (kind, name, distribution) for one in registry.candidates):
            absent.append(f"MODELRY_PREFER chooses {distribution} for {kind}:{name}, which it does not provide")
    for name in registry.controls.observers:
        if name not in registry.names("hooks"):
            absent.append(f"{HOOKS} switches {name} on, which no enabled plugin of kind hooks provides")
    return [Finding(True, "unmatched", "", text) for text in absent]


def validate(registry: Registry) -> None:
    """Activate everything that is switched on; refuse to go on if anything at all is wrong.

    Raises:
        RegistryError: with one line for each problem.
    """
    problems = [f"{one.code}: {one.message}" for one in inspect_metadata(registry) if one.problem]
    for candidate in registry.candidates:
        if registry.usable(candidate):
            try:
                registry.spec(candidate)
            except RegistryError as error:
                problems.append(f"broken: {error}")
    if not problems:
        try:
            registry.hooks(())
        except RegistryError as error:
            problems.append(f"broken: {error}")
    if problems:
        lines = "\n  ".join(dict.fromkeys(problems))
        raise RegistryError(f"{STRICT} is on and the installed plugins have problems ({len(problems)}):\n  {lines}")
