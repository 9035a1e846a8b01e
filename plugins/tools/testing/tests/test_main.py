"""`python -m modelry_testing`: which contracts it runs, what it prints, and its exit status."""

import json
import re
import subprocess
import sys
from collections.abc import Callable

import pytest

from modelry_registry import get_registry
from modelry_testing.__main__ import main
from modelry_testing.contracts import KINDS, contracts_of


def test_a_good_plugin(in_process: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    registry = in_process("decoder", "good-draw")
    assert main(["good-draw"], registry=registry) == 0
    assert capsys.readouterr().out.startswith("decoders:good-draw  19 checks: ")


def test_a_bad_plugin(in_process: Callable, capsys: pytest.CaptureFixture[str]) -> None:
    edits = [("/decoding.py", "generator=session.generator", "generator=None")]
    assert main(["bad-draw", "--kind", "decoders", "--json"], registry=in_process("decoder", "bad-draw", edits)) == 1
    said = json.loads(capsys.readouterr().out)["decoders:bad-draw"]
    assert said["verdict"] == "broken: test_seed"
    (failed,) = (one for one in said["outcomes"] if one["status"] == "failed")
    assert "use the session's generator" in failed["reason"]


def test_a_family_has_its_tokenizer_checked_too(in_process: Callable) -> None:
    registry = in_process("model", "two-parts")
    assert [one.label() for one in contracts_of("two-parts", registry=registry)] == [
        "models:two-parts",
        "tokenizer:two-parts",
    ]


def test_a_distribution_names_all_its_plugins() -> None:
    found = contracts_of("modelry-core", registry=get_registry())
    assert {one.label() for one in found} >= {
        "attention:eager",
        "attention:sdpa",
        "checkpoints:safetensors",
        "commands:run",
    }


@pytest.mark.parametrize("arguments", [["no-such-plugin"], ["sdpa", "--kind", "models"]])
def test_an_unknown_name_is_told(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments, registry=get_registry()) == 2
    assert "modelry plugins list" in capsys.readouterr().err


def test_every_kind_has_a_contract() -> None:
    from modelry_registry.specs import SPECS

    assert KINDS.keys() == set(SPECS)


def test_the_module_runs_by_name() -> None:
    done = subprocess.run([sys.executable, "-m", "modelry_testing", "eager"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"attention:eager  (\d+) checks: \1 passed", done.stdout)
