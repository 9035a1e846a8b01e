"""What the kit says of packages: a good one passes whole, and each bad one fails exactly its check."""

from collections.abc import Callable

import pytest

from modelry_testing import DecoderContract, ModelContract
from modelry_testing.contract import PluginContract
from modelry_testing.outcomes import PASSED

PROJECT, PLUGIN, INIT = "/pyproject.toml", "/_plugin.py", "/__init__.py"
BUSY = "\nfrom time import process_time\n\nend = process_time() + 0.15\nwhile process_time() < end:\n    pass\n"


class PackageOnly(PluginContract):
    """The checks that every kind shares."""

    kind = "decoders"


def test_a_good_package_passes_whole(installed: Callable, outcomes: Callable) -> None:
    found = outcomes(PackageOnly, installed("decoder", "good-package"), "good-package")
    assert [one.status for one in found] == [PASSED] * 5, found


def test_every_kernel_plugin_passes(outcomes: Callable) -> None:
    from modelry_registry import get_registry

    found = outcomes(PackageOnly, get_registry(), "sdpa", kind="attention")
    assert [one.status for one in found] == [PASSED] * 5, found


SEEDS = {
    "imports-torch": ("test_declaration_imports_lightly", [(PLUGIN, "from modelry", "import torch\n\nfrom modelry")]),
    "imports-pydantic": ("test_declaration_imports_lightly", [(INIT, '"""\n', '"""\n\nimport pydantic\n')]),
    "slow-import": ("test_declaration_imports_lightly", [(PLUGIN, "\n\n\n@hookimpl", f"\n{BUSY}\n\n@hookimpl")]),
    "no-readme": ("test_package_metadata", [(PROJECT, 'readme = "README.md"\n', "")]),
    "no-licence": ("test_package_metadata", [(PROJECT, 'license = "Apache-2.0"\nlicense-files = ["LICENSE"]\n', "")]),
    "capped": ("test_package_metadata", [(PROJECT, "modelry-core>=0.1", "modelry-core>=0.1,<0.2")]),
    "undeclared-need": ("test_dependencies", [("/decoding.py", "import torch\n", "import hypothesis\nimport torch\n")]),
    "uses-a-plugin": ("test_dependencies", [("/decoding.py", "import torch\n", "import modelry_llama, torch\n")]),
    "lies": ("test_registered", [(PLUGIN, 'name="lies"', 'name="lied"')]),
    "exits": ("test_registered", [(PLUGIN, '    """Declare the strategy."""\n', "    raise SystemExit(3)\n")]),
    "wrong-module": (
        "test_entry_points",
        [(PROJECT, 'wrong-module = "modelry_wrong_module._plugin"', 'wrong-module = "modelry_wrong_module._plug"')],
    ),
    "wrong-kind": (
        "test_entry_points",
        [(PROJECT, "[tool.hatch.build", '[project.entry-points."modelry.decoderz.v1"]\nx = "y"\n\n[tool.hatch.build')],
    ),
}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_bad_package_fails_its_check(seed: str, installed: Callable, failures: Callable) -> None:
    expected, edits = SEEDS[seed]
    found = failures(PackageOnly, installed("decoder", seed, edits), seed)
    assert set(found) == {expected}, found


def test_a_broken_declaration_is_one_failure(installed: Callable, failures: Callable) -> None:
    """Everything that stands on it is skipped."""
    edits = [(PLUGIN, 'name="lies"', 'name="lied"')]
    found = failures(DecoderContract, installed("decoder", "lies", edits), "lies")
    assert set(found) == {"test_registered"}


def test_a_configuration_that_needs_torch(installed: Callable, failures: Callable) -> None:
    edits = [("/configuration.py", "from typing", "import torch\nfrom typing")]
    found = failures(ModelContract, installed("model", "heavy-config", edits), "heavy-config")
    assert set(found) == {"test_config_needs_no_torch"}
