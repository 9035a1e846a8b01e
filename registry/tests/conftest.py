"""Synthetic distributions: real metadata and real modules in a folder of their own on sys.path."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from modelry_registry import Registry, current
from modelry_registry.scan import scan

TASK = """
from modelry_registry import Registrar, Task, hookimpl

@hookimpl
def modelry_register(registrar: Registrar) -> None:
    for name in {names!r}:
        registrar.task(Task(name=name, pipeline="{module}_real:Toy", heads=("base",)))
"""


class Site:
    """A folder like site-packages, to install made-up plugins into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def install(
        self,
        distribution: str,
        *,
        version: str = "1.0",
        entries: Mapping[str, Sequence[str]] | None = None,
        module: str = "",
        source: str | None = None,
        egg: bool = False,
    ) -> str:
        """Write metadata and module; a task `toy` by default. Returns the module's name.

        Args:
            entries: group to names; {"modelry.tasks.v1": ["toy"]} by default.
            source: text of the module; one that registers every declared task by default. "" writes no module.
            egg: .egg-info instead of .dist-info.
        """
        entries = {"modelry.tasks.v1": ["toy"]} if entries is None else entries
        module = module or "zz_" + distribution.replace("-", "_").lower()
        self.metadata(distribution, version, entries, module, egg=egg)
        if source is None:
            groups = [names for group, names in entries.items() if group.startswith("modelry.tasks")]
            names = sorted({name for names in groups for name in names})
            source = TASK.format(names=names, module=module)
        if source:
            (self.folder / f"{module}.py").write_text(source)
            (self.folder / f"{module}_real.py").write_text("class Toy: ...\n")
        return module

    def metadata(
        self, distribution: str, version: str, entries: Mapping[str, Sequence[str]], module: str, *, egg: bool = False
    ) -> Path:
        """Write the metadata alone."""
        stem = f"{distribution.replace('-', '_')}-{version}"
        info = self.folder / f"{stem}.{'egg' if egg else 'dist'}-info"
        info.mkdir()
        text = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n\nName: not this one\n"
        (info / ("PKG-INFO" if egg else "METADATA")).write_text(text)
        lines = []
        for group, names in entries.items():
            lines += [f"[{group}]", *(f"{name} = {module}" for name in names), ""]
        (info / "entry_points.txt").write_text("\n".join(lines))
        return info

    def registry(self, **environ: str) -> Registry:
        """A registry of what this folder holds, and of nothing else."""
        return Registry(scan([str(self.folder)]).candidates, environ)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty Site at the head of sys.path; what was imported from it, or scanned, is forgotten afterwards."""
    made = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(made.folder))
    monkeypatch.setattr(current, "_scanned", [])  # whatever the process has seen before, it scans this site again
    before = set(sys.modules)
    yield made
    for name in set(sys.modules) - before:
        if name.startswith("zz_"):
            del sys.modules[name]
