"""The rules of the house that a machine can check: sizes, names, the direction of imports, what is never named."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGES = sorted(path.parent for path in REPOSITORY.glob("*/pyproject.toml")) + sorted(
    path.parent for path in REPOSITORY.glob("plugins/*/*/pyproject.toml")
)
LONGEST_FILE, LONGEST_MODEL = 400, 300
DRAWERS = {"utils", "helpers", "common", "misc", "base", "util", "helper"}


def import_name(package: Path) -> str:
    (folder,) = (package / "src").iterdir()
    return folder.name


def layer(package: Path) -> str:
    return package.relative_to(REPOSITORY).parts[0]


def sources(package: Path) -> Iterator[Path]:
    for path in sorted((package / "src").rglob("*.py")):
        if "templates" not in path.parts:
            yield path


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    return [REPOSITORY / name for name in listed.stdout.split("\0") if name and (REPOSITORY / name).is_file()]


def imported_roots(path: Path) -> set[str]:
    """First parts of all that a file imports, wherever in the file."""
    roots = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            roots.add(node.module.split(".")[0])
    return roots


def over(packages: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("package", packages, ids=lambda path: path.name)


package_cases = over(PACKAGES)
kernel_cases = over([package for package in PACKAGES if layer(package) != "plugins"])
family_cases = over([package for package in PACKAGES if package.parent.name == "models"])
OURS = {import_name(package): layer(package) for package in PACKAGES}


@package_cases
def test_a_package_has_its_parts(package: Path) -> None:
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert (package / "README.md").read_text().strip()
    assert list((package / "tests").rglob("test_*.py")), f"{package} has no tests"
    assert import_name(package).startswith("modelry")
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "Apache-2.0"
    assert not [need for need in project["dependencies"] if "<" in need], "a floor, never a cap"


@package_cases
def test_imports_point_one_way(package: Path) -> None:
    """plugin -> core -> registry, and no plugin imports another."""
    allowed = {"registry": set(), "core": {"modelry_registry"}, "plugins": {"modelry_registry", "modelry"}}[
        layer(package)
    ]
    for path in sources(package):
        strangers = (imported_roots(path) & OURS.keys()) - allowed - {import_name(package)}
        assert not strangers, f"{path} imports {sorted(strangers)}"


@package_cases
def test_shipped_code_never_imports_the_oracle(package: Path) -> None:
    for path in sources(package):
        assert "transformers" not in imported_roots(path), path


@package_cases
def test_imports_are_declared(package: Path) -> None:
    """What a package imports, its own pyproject.toml installs."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    needs = {re.split(r"[^A-Za-z0-9_.-]", need)[0].lower().replace("-", "_") for need in project["dependencies"]}
    for extra in project.get("optional-dependencies", {}).values():
        needs |= {re.split(r"[^A-Za-z0-9_.-]", need)[0].lower().replace("-", "_") for need in extra}
    modules = {"pyyaml": "yaml", "mlflow_skinny": "mlflow", "modelry_core": "modelry", "pillow": "PIL"}
    allowed = {modules.get(need, need) for need in needs} | {import_name(package)} | set(sys.stdlib_module_names)
    for path in sources(package):
        strangers = {root for root in imported_roots(path) if root.lower() not in allowed and root not in allowed}
        assert not strangers, f"{path} imports {sorted(strangers)}, which its pyproject.toml does not name"


@kernel_cases
def test_no_kernel_code_names_a_plugin(package: Path) -> None:
    names = [name for name, where in OURS.items() if where == "plugins" and name != "modelry_testing"]
    for path in sources(package):
        text = path.read_text()
        assert not [name for name in names if re.search(rf"\b{name}\b", text)], path


@package_cases
def test_a_declaration_imports_the_registry_only(package: Path) -> None:
    for path in sources(package):
        if path.name == "_plugin.py":
            assert imported_roots(path) <= {"modelry_registry", "datetime"}, path


@package_cases
def test_every_file_says_what_it_is_for_and_is_short(package: Path) -> None:
    for path in sources(package):
        text = path.read_text()
        if text.strip():
            assert ast.get_docstring(ast.parse(text)), f"{path} does not begin with what it is for"
        limit = LONGEST_MODEL if path.name == "modeling.py" else LONGEST_FILE
        assert len(text.splitlines()) <= limit, (
            f"{path} has {len(text.splitlines())} lines, more than {limit}: split by concept"
        )


@package_cases
def test_no_drawers(package: Path) -> None:
    for path in (package / "src").rglob("*"):
        assert path.stem.strip("_").lower() not in DRAWERS, f"{path}: name the concept"


@family_cases
def test_classes_have_one_base(package: Path) -> None:
    """Between a model and nn.Module stands PreTrainedModel or one generic head, and nothing is mixed in."""
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                assert len(node.bases) <= 1, f"{path}: {node.name} has several bases"


def test_nothing_tracked_names_this_machine() -> None:
    """No path of the machine it was written on, no large file."""
    forbidden = [f"{place}/" for place in (REPOSITORY, Path.home())]
    for path in tracked():
        assert path.stat().st_size < 2_000_000, f"{path} is too large for the repository"
        text = path.read_bytes().decode(errors="replace")
        found = [place for place in forbidden if place in text]
        assert not found, f"{path} names {found}"


def test_import_linter_knows_every_package() -> None:
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert set(settings["root_packages"]) == set(OURS)
    plugins = {name for name, where in OURS.items() if where == "plugins"}
    assert set(settings["contracts"][1]["modules"]) == plugins


def test_extras_name_packages_of_this_repository() -> None:
    distributions = {tomllib.loads((package / "pyproject.toml").read_text())["project"]["name"] for package in PACKAGES}
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name, needs in extras.items():
        assert {re.split("[>=]", need)[0] for need in needs} <= distributions, name
