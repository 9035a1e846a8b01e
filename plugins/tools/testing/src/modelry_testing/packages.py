"""A plugin's distribution as a user would install it: the files and the metadata of its wheel.

A distribution that is installed for editing is built first, so that what is checked is what would be published.
"""

import ast
import json
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
from importlib_metadata import Distribution, EntryPoint, PackageNotFoundError, PathDistribution

from modelry_testing.errors import ContractBroken
from modelry_testing.scratch import new_folder

GROUP_PREFIX = "modelry."
_NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "*.egg-info", "node_modules")
_BUILD = "import importlib, sys; importlib.import_module(sys.argv[1]).build_wheel(sys.argv[2])"


@dataclass(frozen=True)
class Package:
    """One distribution, with the folder that its modules lie in."""

    name: str
    distribution: Distribution
    folder: Path

    @classmethod
    def of(cls, name: str) -> "Package":
        """The wheel of an installed distribution.

        Raises:
            pytest.skip.Exception: the wheel cannot be built here because its build backend is not installed.
            ContractBroken: there is no such distribution, or its wheel does not build.
        """
        return _package(name)

    @property
    def entry_points(self) -> tuple[EntryPoint, ...]:
        """Those of Modelry's groups."""
        return tuple(one for one in self.distribution.entry_points if one.group.startswith(GROUP_PREFIX))

    @cached_property
    def modules(self) -> tuple[str, ...]:
        """Top-level import names of the wheel."""
        return tuple(sorted({Path(one.parts[0]).stem for one in self.files if one.suffix == ".py"}))

    def has_module(self, module: str) -> bool:
        """Whether the wheel carries this module."""
        path = self.folder.joinpath(*module.split("."))
        return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()

    def imports(self) -> Iterator[tuple[Path, str]]:
        """Yield (file, top-level name) for every absolute import of every module, inside functions too."""
        for one in self.files:
            if one.suffix != ".py":
                continue
            for node in ast.walk(ast.parse((self.folder / one).read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((one, alias.name.partition(".")[0]) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    yield one, node.module.partition(".")[0]

    @cached_property
    def files(self) -> list[Path]:
        """Files of the wheel, relative to `folder`; templates are text, not modules."""
        listed = [Path(str(one)) for one in self.distribution.files or ()]
        return [one for one in listed if ".." not in one.parts and "templates" not in one.parts and len(one.parts) > 1]


@cache
def _package(name: str) -> Package:
    try:
        installed = Distribution.from_name(name)
    except PackageNotFoundError as error:
        raise ContractBroken(f"the distribution {name} is not installed (any more)") from error
    source = _edited_source(installed)
    if source is None:
        return Package(name, installed, Path(str(installed.locate_file(""))))
    folder = new_folder()
    wheel = build_wheel(source, folder / "wheel")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    (info,) = (folder / "site").glob("*.dist-info")
    return Package(name, PathDistribution(info), folder / "site")


def _edited_source(installed: Distribution) -> Path | None:
    """Where an editable installation's source lies, None for an ordinary one."""
    text = installed.read_text("direct_url.json")
    if text is None:
        return None
    origin = json.loads(text)
    if not origin.get("dir_info", {}).get("editable"):
        return None
    return Path(url2pathname(urlparse(origin["url"]).path))


def build_wheel(source: Path, target: Path) -> Path:
    """Build the wheel of a source folder without touching the folder, the network or the environment.

    Raises:
        pytest.skip.Exception: the build backend is not installed.
        ContractBroken: the build fails.
    """
    with tempfile.TemporaryDirectory(prefix="modelry-build-") as temporary:
        copy = Path(temporary) / "source"
        shutil.copytree(source, copy, ignore=_NOT_SOURCE)
        backend = tomllib.loads((copy / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["build-backend"]
        target.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-c", _BUILD, backend, str(target)]
        built = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    if built.returncode:
        last = (built.stderr.strip() or built.stdout.strip()).splitlines()[-1:]
        if last and f"No module named '{backend.partition('.')[0]}'" in last[0]:
            pytest.skip(f"{backend} is not installed: the wheel of {source.name} cannot be built here")
        raise ContractBroken(f"the wheel of {source} does not build: {' '.join(last)}")
    (wheel,) = target.glob("*.whl")
    return wheel
