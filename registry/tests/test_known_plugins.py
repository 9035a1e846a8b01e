"""The shipped index of known plugins is what the repository's packages declare."""

import json
import runpy
from pathlib import Path

import pytest

from modelry_registry.known import known_distribution, known_plugins
from modelry_registry.naming import DISTRIBUTION, NAME
from modelry_registry.specs import SPECS

GENERATOR = runpy.run_path(str(Path(__file__).resolve().parents[2] / "scripts" / "known_plugins.py"))


def test_it_is_current():
    assert known_plugins() == GENERATOR["collect"](GENERATOR["REPOSITORY"]), "run: python scripts/known_plugins.py"
    assert GENERATOR["main"](["--check"]) == 0


def test_it_is_well_formed():
    for kind, names in known_plugins().items():
        assert kind in SPECS
        assert all(NAME.fullmatch(name) and DISTRIBUTION.fullmatch(owner) for name, owner in names.items())


def test_lookup():
    assert known_distribution("attention", "sdpa") == "modelry-core"
    assert known_distribution("attention", "nothing") is None
    assert known_distribution("nothing", "nothing") is None


def package(folder: Path, name: str, text: str) -> None:
    (folder / "plugins" / "models" / name).mkdir(parents=True)
    (folder / "plugins" / "models" / name / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n{text}')


def test_the_generator_collects_our_groups_only(tmp_path):
    ours, other = '[project.entry-points."modelry.models.v1"]\nx = "m"\n', '[project.entry-points.other]\ny = "m"\n'
    package(tmp_path, "a", ours + other)
    package(tmp_path, "b", "")
    assert GENERATOR["collect"](tmp_path) == {"models": {"x": "a"}}
    json.dumps(GENERATOR["collect"](tmp_path))


def test_the_generator_refuses_a_name_of_two(tmp_path):
    for name in ("a", "b"):
        package(tmp_path, name, '[project.entry-points."modelry.models.v1"]\nx = "m"\n')
    with pytest.raises(ValueError, match="both declare x"):
        GENERATOR["collect"](tmp_path)
