"""What pytest prints and decides: counts for each plugin with reasons, and a failure where everything was skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

CONTRACT = """
import pytest
from modelry_testing.contract import Contract, check

class Toy(Contract):
    kind = "tasks"
    name = "toy"

    def test_registered(self):
        pytest.skip("nothing is registered here")

    @check()
    def test_skips(self):
        pytest.skip("for a good reason")
"""
PASSES = "\n    @check()\n    def test_passes(self):\n        pass\n"
FAILS = '\n    @check()\n    def test_fails(self):\n        raise AssertionError("two is not three")\n'


def run(folder: Path, body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(CONTRACT + body + "\n\nclass TestToy(Toy):\n    pass\n")
    plugin = ["-p", "no:cacheprovider", "-p", "modelry_testing.pytest_plugin", "-W", "error"]
    command = [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", "--rootdir", str(folder), *plugin, *arguments]
    environ = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""}
    return subprocess.run([*command, "test_it.py"], cwd=folder, env=environ, capture_output=True, text=True)


def test_checks_are_counted_with_reasons(tmp_path: Path) -> None:
    done = run(tmp_path, PASSES)
    assert done.returncode == 0, done.stdout
    assert "tasks:toy  3 checks: 1 passed, 2 skipped, 0 failed" in done.stdout
    assert "skipped  test_skips: for a good reason" in done.stdout


def test_a_failure_is_told(tmp_path: Path) -> None:
    done = run(tmp_path, PASSES + FAILS)
    assert done.returncode == 1
    assert "tasks:toy  4 checks: 1 passed, 2 skipped, 1 failed" in done.stdout
    assert "two is not three" in done.stdout.partition("modelry contracts")[2]
    assert "broken: test_fails" in done.stdout


def test_all_skipped_is_a_failure(tmp_path: Path) -> None:
    done = run(tmp_path, "")
    assert done.returncode == 1, done.stdout
    assert "every check was skipped: nothing is known about this plugin" in done.stdout


def test_a_chosen_check_may_be_skipped(tmp_path: Path) -> None:
    assert run(tmp_path, PASSES, "-k", "test_skips").returncode == 0


def test_a_session_without_contracts_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_one():\n    assert True\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "modelry_testing.pytest_plugin", "-p", "no:cacheprovider"]
    environ = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PATH": ""}
    done = subprocess.run([*command, "test_other.py"], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0
    assert "modelry contracts" not in done.stdout


@pytest.mark.parametrize("module", ["modelry_testing", "modelry_testing.pytest_plugin", "modelry_testing.contract"])
def test_starting_pytest_imports_no_torch(module: str) -> None:
    code = f"import sys; sys.modules.update(torch=None, pydantic=None); import {module}"
    subprocess.run([sys.executable, "-c", code], check=True)
