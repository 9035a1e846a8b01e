"""Plugins grown from the templates, good or with one mistake, known to a registry and not installed."""

import importlib
import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import torch

from modelry_registry import Registrar, Registry, Spec, get_registry
from modelry_registry.new import write_package
from modelry_testing.contract import Contract, run
from modelry_testing.outcomes import FAILED, Outcome

OUTSIDERS = Path(__file__).parent / "outsiders"
Edit = tuple[str, str, str]
"""(end of a file's path, what stands there, what shall stand there)."""


@pytest.fixture(autouse=True)
def _few_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """A function: kind, name, edits -> the folder of a new package, importable until the test ends."""
    known = set(sys.modules)

    def make(kind: str, name: str, edits: Sequence[Edit] = ()) -> Path:
        folder = write_package(kind, name, tmp_path)
        for end, old, new in edits:
            (file,) = (one for one in folder.rglob("*") if str(one).endswith(end))
            text = file.read_text()
            assert old in text, f"{file.name} has no {old!r}"
            file.write_text(text.replace(old, new))
        monkeypatch.syspath_prepend(folder / "src")
        return folder

    yield make
    for name in set(sys.modules) - known:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def declared(module: str) -> list[Spec]:
    """What a declaration registers."""
    registrar = Registrar()
    with registrar.collecting() as specs:
        importlib.import_module(module).modelry_register(registrar)
    return specs


@pytest.fixture
def in_process(grow: Callable[..., Path]) -> Callable[..., Registry]:
    """A function: kind, name, edits -> a registry that knows the plugin, which has no package."""

    def make(kind: str, name: str, edits: Sequence[Edit] = ()) -> Registry:
        grow(kind, name, edits)
        return get_registry().extended(*declared(f"modelry_{name.replace('-', '_')}._plugin"), distribution="grown")

    return make


@pytest.fixture
def installed(grow: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Registry]:
    """A function: kind, name, edits -> a registry that finds the package as one that is installed for editing."""

    def make(kind: str, name: str, edits: Sequence[Edit] = ()) -> Registry:
        folder = grow(kind, name, edits)
        info = tmp_path / "site" / f"modelry_plugin_{name.replace('-', '_')}-0.1.0.dist-info"
        info.mkdir(parents=True)
        declaration = (folder / "pyproject.toml").read_text()
        group = declaration.partition("[project.entry-points.")[2].partition("]")[0].strip('"')
        points = declaration.partition(f'[project.entry-points."{group}"]\n')[2].partition("\n\n")[0].replace('"', "")
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: modelry-plugin-{name}\nVersion: 0.1.0\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{points}\n")
        (info / "direct_url.json").write_text(json.dumps({"dir_info": {"editable": True}, "url": folder.as_uri()}))
        monkeypatch.syspath_prepend(info.parent)
        return Registry()

    return make


@pytest.fixture
def outcomes() -> Callable[..., list[Outcome]]:
    """A function: contract, registry, name, more attributes -> what came of every check."""

    def make(contract: type[Contract], registry: Registry, name: str, **said: object) -> list[Outcome]:
        made = type("Checked", (contract,), {"name": name, "registry": registry, **said})
        return list(run(made))

    return make


@pytest.fixture
def failures(outcomes: Callable[..., list[Outcome]]) -> Callable[..., dict[str, str]]:
    """The same, and only the failed checks, each with its reason; every reason is the kit's own."""

    def make(contract: type[Contract], registry: Registry, name: str, **said: object) -> dict[str, str]:
        return {one.check: one.reason for one in outcomes(contract, registry, name, **said) if one.status == FAILED}

    return make


@pytest.fixture
def outsider(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """A function: file name -> the name of its module, which is imported until the test ends."""

    def load(name: str) -> str:
        spec = importlib.util.spec_from_file_location(name, OUTSIDERS / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return name

    return load
