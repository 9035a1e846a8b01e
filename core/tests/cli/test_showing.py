"""`--show`: what is refused before a model is loaded. What is drawn: the tests of the tasks."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from modelry.cli.run import run
from modelry.pipelines import Pipeline
from modelry_registry import Task, get_registry, use_registry


@pytest.fixture(autouse=True)
def tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tasks `silent`, which draws nothing, and `drawing`."""
    module = ModuleType("toy_tasks")
    silent = type("SilentPipeline", (Pipeline,), {})
    drawing = type("DrawingPipeline", (Pipeline,), {"draw": lambda self, picture, answer: picture})
    for kind in (silent, drawing):
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "toy_tasks", module)
    specs = [
        Task(name=name, pipeline=f"toy_tasks:{name.title()}Pipeline", heads=("base",)) for name in ("silent", "drawing")
    ]
    with use_registry(get_registry().extended(*specs)):
        yield


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drawing", "a.png", "--show", "out.xyz"], "'out.xyz' has an unknown suffix: use .png, .jpg"),
        (["drawing", "a.png", "--show", "out"], "'out' has an unknown suffix"),
        (["drawing", "a.png", "b.png", "--show", "out.png"], "one picture, and there are 2 inputs"),
        (["silent", "a.png", "--show", "out.png"], "'silent' has nothing to draw"),
        (["silent_en_to_fr", "a.png", "--show", "out.png"], "has nothing to draw"),
        (["unheard-of", "a.png", "--show", "out.png"], "unheard-of"),
        (["drawing", "a.png", "--show", "OUT.PNG"], "no-such-folder"),  # only now is the model looked for
    ],
)
def test_refusals(arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(run, [*arguments, "--model", "./no-such-folder"])
    assert done.exit_code
    assert message in done.stderr
    assert ("no-such-folder" in done.stderr) == (message == "no-such-folder")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    folder = tmp_path / "out.png"
    folder.mkdir()
    done = CliRunner().invoke(run, ["drawing", "a.png", "--show", str(folder), "--model", "nowhere"])
    assert done.exit_code == 2
    assert "is a folder: name a file" in done.stderr
