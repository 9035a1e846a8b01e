"""Write a new plugin package from the templates of its kind.

A template is a folder of UTF-8 text files under `templates/`. These placeholders are replaced in the text and in the
paths of its files, `$$` gives a dollar sign, and an ending `.template` is dropped (with it, no tool takes the file for
Python):

    $name          my-model                  the name users write
    $module        modelry_my_model          the import name
    $Class         MyModel                   the stem of its class names
    $distribution  modelry-plugin-my-model   what pip installs
"""

import os
import re
import shutil
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from string import Template

from modelry_registry.errors import PackageError
from modelry_registry.known import known_distribution
from modelry_registry.naming import quoted

KINDS: Mapping[str, str] = {
    "model": "models",
    "task": "tasks",
    "decoder": "decoders",
    "quantizer": "quantizers",
    "attention": "attention",
}
"""What a person says to what the registry says."""

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
_LONGEST = 40
_RESERVED = ("core", "registry", "testing")


def placeholders(kind: str, name: str) -> dict[str, str]:
    """The values of the four placeholders.

    Raises:
        PackageError: no such kind; or the name is malformed, reserved, or that of a known plugin.
    """
    if kind not in KINDS:
        raise PackageError(f"{quoted(kind)} is not something to write a package for; choose {', '.join(KINDS)}")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise PackageError(
            f"{quoted(name)} cannot name a package: use words of a-z and 0-9 joined by '-', a letter first, "
            f"at most {_LONGEST} characters"
        )
    if name in _RESERVED:
        raise PackageError(f"{name!r} is the name of a package of Modelry itself; choose another")
    owner = known_distribution(KINDS[kind], name)
    if owner is not None:
        raise PackageError(f"{KINDS[kind]}:{name} is provided by {owner} already; choose another name")
    return {
        "name": name,
        "module": "modelry_" + name.replace("-", "_"),
        "Class": "".join(word[0].upper() + word[1:] for word in name.split("-")),
        "distribution": f"modelry-plugin-{name}",
    }


def write_package(kind: str, name: str, folder: Path, *, templates: Path | None = None) -> Path:
    """Write `folder/modelry-plugin-<name>`, whole or not at all.

    Args:
        kind: "model", "task", "decoder", "quantizer" or "attention".
        name: kebab-case.
        folder: an existing folder.
        templates: where the folders of templates are; those of this package when None.

    Returns:
        The folder of the new package.

    Raises:
        PackageError: the name does not do, `folder` is none, the package's folder exists, or a file cannot be written.
    """
    values = placeholders(kind, name)
    target = folder / values["distribution"]
    if not folder.is_dir():
        raise PackageError(f"there is no folder {folder} to write the package into")
    if os.path.lexists(target):
        raise PackageError(f"{target} exists already; remove it or choose another name")
    aside = folder / f".{values['distribution']}.{os.getpid()}.partial"
    try:
        if templates is not None:
            _fill(templates / kind, aside, values)
        else:
            with as_file(files(__package__) / "templates" / kind) as source:
                _fill(source, aside, values)
        aside.rename(target)
    except (OSError, UnicodeDecodeError) as error:
        raise PackageError(f"{target} cannot be written: {error}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _fill(source: Path, target: Path, values: Mapping[str, str]) -> None:
    for file in sorted(source.rglob("*")):
        if not file.is_file() or "__pycache__" in file.parts:
            continue
        place = target / _replace(str(file.relative_to(source)).removesuffix(".template"), values, file)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(_replace(file.read_text(encoding="utf-8"), values, file), encoding="utf-8")
    if not target.is_dir():
        raise PackageError(f"there are no templates in {source}; reinstall modelry-registry")


def _replace(text: str, values: Mapping[str, str], file: Path) -> str:
    try:
        return Template(text).substitute(values)
    except (KeyError, ValueError) as error:
        known = ", ".join(f"${key}" for key in values)
        message = f"template {file} has a placeholder {error}; it may use {known}, and $$ for a dollar sign"
        raise PackageError(message) from error
