"""What every plugin's package keeps: honest metadata, entry points that lead somewhere, a light declaration."""

import re
import subprocess
import sys
from collections.abc import Collection, Iterator
from functools import cache

from importlib_metadata import Distribution, PackageNotFoundError
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from modelry_registry import get_registry
from modelry_registry.specs import Spec
from modelry_testing.errors import ContractBroken
from modelry_testing.packages import Package

LIGHT_SECONDS = 0.1
HEAVY = ("torch", "numpy", "pydantic", "tokenizers", "transformers")
KERNEL = {"modelry-core": "modelry", "modelry-registry": "modelry_registry"}
"""Distribution to import name."""
PROMISED = ("Name", "Version", "Summary", "Requires-Python")
_GROUP = re.compile(r"modelry\.(?P<kind>[a-z]+)\.v(?P<api>[1-9]\d*)")
_ATTEMPTS = 4
_IMPORT = """
import sys
from time import process_time
import modelry_registry
sys.path.insert(0, sys.argv[1])
sys.modules.update(dict.fromkeys(sys.argv[3].split(",")))
start = process_time()
__import__(sys.argv[2])
print(process_time() - start)
"""


def metadata(package: Package) -> None:
    """Raise ContractBroken where the wheel does not say what it is, or caps what it needs."""
    read = package.distribution.metadata
    missing = [name for name in PROMISED if not read.get(name)]
    if not (read.get("License-Expression") or read.get("License")):
        missing.append("License-Expression")
    if not read.get("Description") and not str(read.get_payload() or "").strip():
        missing.append("Description (the readme)")
    if missing:
        raise ContractBroken(f"the metadata of {package.name} has no {', '.join(missing)}: add it to pyproject.toml")
    if package.modules and "tests" in package.modules:
        raise ContractBroken(f"the wheel of {package.name} installs a top-level package 'tests'")
    kernel = [one for one in requirements(package) if canonicalize_name(one.name) in KERNEL]
    if not kernel and canonicalize_name(package.name) not in KERNEL:
        raise ContractBroken(
            f"{package.name} depends on neither of {' and '.join(KERNEL)}: it cannot be a plugin alone"
        )
    for one in kernel:
        operators = {part.operator for part in one.specifier}
        if ">=" not in operators or operators & {"<", "<=", "==", "~=", "==="}:
            raise ContractBroken(f"{package.name} needs {str(one)!r}: write a floor ('{one.name}>=0.1') and no cap")


def requirements(package: Package, *, extras: Collection[str] = ()) -> Iterator[Requirement]:
    """The declared dependencies, and those of some of its extras."""
    for text in package.distribution.requires or ():
        try:
            one = Requirement(text)
        except InvalidRequirement as error:
            raise ContractBroken(
                f"{package.name} declares the dependency {text!r}, which is malformed: {error}"
            ) from error
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield one


def entry_points(package: Package, *, kind: str, name: str) -> None:
    """Raise ContractBroken where an entry point names no kind, no module, or the plugin's name is not declared."""
    kinds = {one.kind for one in Spec.__subclasses__()}
    declared = set()
    for one in package.entry_points:
        group = _GROUP.fullmatch(one.group)
        if group is None or group["kind"] not in kinds:
            raise ContractBroken(
                f"{package.name} declares the group {one.group!r}: kinds are {', '.join(sorted(kinds))}"
            )
        if one.attr:
            raise ContractBroken(
                f"entry point {one.name!r} is {one.value!r}: name the module alone, without ':{one.attr}'"
            )
        if not package.has_module(one.module):
            raise ContractBroken(f"entry point {one.name!r} names {one.module}, which the wheel does not contain")
        declared.add((group["kind"], one.name))
    if (kind, name) not in declared:
        raise ContractBroken(f"the wheel of {package.name} does not declare {name!r} in modelry.{kind}.v1")


def light_import(package: Package) -> None:
    """Raise ContractBroken where a declaration imports a heavy library or takes LIGHT_SECONDS of CPU or more.

    The fastest of a few attempts counts: the machine may be busy with something else.
    """
    for module in sorted({one.module for one in package.entry_points}):
        spent = [_import_seconds(package, module)]
        while min(spent) >= LIGHT_SECONDS and len(spent) < _ATTEMPTS:
            spent.append(_import_seconds(package, module))
        if min(spent) >= LIGHT_SECONDS:
            raise ContractBroken(
                f"importing {module} takes {min(spent) * 1000:.0f} ms of CPU, and listing plugins pays for it: "
                f"keep it under {LIGHT_SECONDS * 1000:.0f} ms by importing nothing but modelry_registry"
            )


def _import_seconds(package: Package, module: str) -> float:
    command = [sys.executable, "-c", _IMPORT, str(package.folder), module, ",".join(HEAVY)]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1:]
        halted = re.search(r"import of (\w+) halted", ran.stderr)
        if halted:
            raise ContractBroken(f"importing {module} imports {halted[1]}: refer to classes by 'module:Name' instead")
        raise ContractBroken(f"importing {module} fails in a fresh interpreter: {' '.join(last)}")
    return float(ran.stdout.split()[-1])


def dependencies(package: Package) -> None:
    """Raise ContractBroken where a module imports another plugin, or something that no declared dependency brings.

    Extras of the package count: what a part of it needs, it may import when that part is used.
    """
    brought = {root for name in _closure(package) for root in _roots(name)}
    plugins = {one.module.partition(".")[0]: one.distribution for one in get_registry().candidates}
    for file, root in package.imports():
        if root in sys.stdlib_module_names or root in package.modules:
            continue
        owner = plugins.get(root)
        if owner is not None and owner not in KERNEL:
            raise ContractBroken(f"{file} imports {root} of {owner}: a plugin imports no other plugin")
        if root not in brought:
            raise ContractBroken(f"{file} imports {root}, which none of the dependencies of {package.name} brings")


def _closure(package: Package) -> set[str]:
    """Every installed distribution that pip would bring along, with all extras of the package itself."""
    found: set[tuple[str, frozenset[str]]] = set()
    own = package.distribution.metadata.get_all("Provides-Extra") or ()
    waiting = list(requirements(package, extras=own))
    while waiting:
        needed = waiting.pop()
        name, extras = canonicalize_name(needed.name), frozenset(needed.extras)
        if (name, extras) in found:
            continue
        found.add((name, extras))
        try:
            waiting += requirements(Package(name, Distribution.from_name(name), package.folder), extras=extras)
        except PackageNotFoundError:
            continue
    return {name for name, _ in found}


@cache
def _roots(name: str) -> frozenset[str]:
    """Top-level import names that an installed distribution brings."""
    if name in KERNEL:  # an editable one hides its files
        return frozenset({KERNEL[name]})
    try:
        found = Distribution.from_name(name)
    except PackageNotFoundError:
        return frozenset()
    lines = (found.read_text("RECORD") or "").splitlines()
    files = {line.partition("/")[0].partition(",")[0].removesuffix(".py").partition(".")[0] for line in lines}
    return frozenset(files | set((found.read_text("top_level.txt") or "").split()))
