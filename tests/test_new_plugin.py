"""`modelry plugins new`: each kind's package builds, installs beside wheels only, and passes the kit as written."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

PLUGINS = {
    "model": "tiny-tide",
    "task": "text-odds",
    "decoder": "mass-draw",
    "quantizer": "row-bytes",
    "attention": "plain-gaze",
}
KINDS = {
    "model": "models",
    "task": "tasks",
    "decoder": "decoders",
    "quantizer": "quantizers",
    "attention": "attention",
}


@pytest.fixture(scope="module")
def environment(make_environment: Callable[[Sequence[str | Path]], Any]) -> Any:
    """Wheels of the registry, the kernel, the kit and a decoder; outside the repository, nothing editable."""
    return make_environment(["modelry-testing", "modelry-plugin-sampling"])


@pytest.fixture(scope="module")
def written(environment: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The packages, written by the environment's own command, built and installed."""
    folders = {}
    for kind, name in PLUGINS.items():
        environment.run("modelry", "plugins", "new", kind, name)
        folders[kind] = environment.folder / f"modelry-plugin-{name}"
    wheels = tmp_path_factory.mktemp("new-wheels")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", wheels, *folders.values()], check=True)
    environment.pip("install", "--no-deps", "--no-index", *sorted(wheels.glob("*.whl")))
    return folders


@pytest.mark.parametrize("kind", PLUGINS)
def test_a_new_package_passes_its_own_tests(kind: str, environment: Any, written: dict[str, Path]) -> None:
    tests = written[kind] / "tests"
    done = environment.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", written[kind], tests)
    assert " passed" in done.stdout
    assert f"{KINDS[kind]}:{PLUGINS[kind]}" in done.stdout  # the kit's own count
    assert " 0 failed" in done.stdout


@pytest.mark.parametrize("kind", PLUGINS)
def test_a_new_package_passes_the_kit_by_name(kind: str, environment: Any, written: dict[str, Path]) -> None:
    told = json.loads(environment.run("modelry", "plugins", "check", PLUGINS[kind], "--json").stdout)
    said = told[f"{KINDS[kind]}:{PLUGINS[kind]}"]
    assert said["verdict"] == "kept"
    assert said["passed"] > said["skipped"]
    skipped = {one["check"] for one in said["outcomes"] if one["status"] == "skipped"}
    assert not skipped & {
        "test_package_metadata",
        "test_entry_points",
        "test_declaration_imports_lightly",
        "test_dependencies",
    }
