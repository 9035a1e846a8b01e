"""A new package is written whole or not at all, with its names in every place."""

import ast
import tomllib

import pytest

from modelry_registry import PackageError
from modelry_registry.new import KINDS, placeholders, write_package


@pytest.fixture
def templates(tmp_path):
    folder = tmp_path / "templates"
    source = folder / "model" / "src" / "$module"
    source.mkdir(parents=True)
    (source / "modeling.py.template").write_text("class ${Class}Model: ...  # $name costs $$5\n")
    (folder / "model" / "pyproject.toml").write_text('name = "$distribution"\n')
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "x.pyc").write_bytes(b"\xff")
    return folder


def test_names_are_filled_in_text_and_paths(templates, tmp_path):
    written = write_package("model", "my-model2", tmp_path, templates=templates)
    assert written == tmp_path / "modelry-plugin-my-model2"
    files = {str(file.relative_to(written)): file.read_text() for file in written.rglob("*") if file.is_file()}
    assert files == {
        "pyproject.toml": 'name = "modelry-plugin-my-model2"\n',
        "src/modelry_my_model2/modeling.py": "class MyModel2Model: ...  # my-model2 costs $5\n",
    }


@pytest.mark.parametrize(
    "name",
    ["", "My-Toy", "my_toy", "-x", "x-", "a--b", "4bit", "../x", "a/b", "x" * 41, "a b", "é", "core", "testing", "a\n"],
)
def test_names_that_do_not_do(name, templates, tmp_path):
    with pytest.raises(PackageError):
        write_package("model", name, tmp_path, templates=templates)
    assert [one.name for one in tmp_path.iterdir()] == ["templates"]


def test_a_name_that_is_taken(monkeypatch):
    monkeypatch.setattr("modelry_registry.known.known_plugins", lambda: {"models": {"big": "big-plugin"}})
    with pytest.raises(PackageError, match="models:big is provided by big-plugin already"):
        placeholders("model", "big")
    assert placeholders("task", "big")["Class"] == "Big"


def test_a_kind_that_is_none():
    with pytest.raises(PackageError, match="choose model, task, decoder, quantizer, attention"):
        placeholders("widget", "x")
    assert set(KINDS.values()) == {"models", "tasks", "decoders", "quantizers", "attention"}


def test_an_existing_folder_is_left_alone(templates, tmp_path):
    (tmp_path / "modelry-plugin-toy").mkdir()
    with pytest.raises(PackageError, match="exists already"):
        write_package("model", "toy", tmp_path, templates=templates)
    (tmp_path / "modelry-plugin-dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(PackageError, match="exists already"):
        write_package("model", "dangling", tmp_path, templates=templates)


def test_a_place_that_is_no_folder(templates, tmp_path):
    with pytest.raises(PackageError, match="there is no folder"):
        write_package("model", "toy", tmp_path / "absent", templates=templates)


@pytest.mark.parametrize("text", ["$unknown", "$", "${"])
def test_a_bad_template_leaves_nothing_behind(templates, tmp_path, text):
    (templates / "model" / "zzz.txt").write_text(text)
    with pytest.raises(PackageError, match=r"zzz\.txt has a placeholder .*\$name, \$module, \$Class, \$distribution"):
        write_package("model", "toy", tmp_path, templates=templates)
    assert [one.name for one in tmp_path.iterdir()] == ["templates"]


def test_a_failing_disk_leaves_nothing_behind(templates, tmp_path, monkeypatch):
    from pathlib import Path

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(PackageError, match="No space left"):
        write_package("model", "toy", tmp_path, templates=templates)
    assert [one.name for one in tmp_path.iterdir()] == ["templates"]


def test_a_template_that_is_not_text(templates, tmp_path):
    (templates / "model" / "image.png").write_bytes(b"\xff\xfe")
    with pytest.raises(PackageError, match="cannot be written"):
        write_package("model", "toy", tmp_path, templates=templates)


def test_a_kind_without_templates(templates, tmp_path):
    with pytest.raises(PackageError, match="there are no templates"):
        write_package("task", "toy", tmp_path, templates=templates)


@pytest.mark.parametrize("kind", KINDS)
def test_the_shipped_templates_give_a_declared_and_parsable_package(kind, tmp_path):
    written = write_package(kind, "my-toy", tmp_path)
    for file in written.rglob("*.py"):
        ast.parse(file.read_text(encoding="utf-8"))
    project = tomllib.loads((written / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "modelry-plugin-my-toy"
    assert project["entry-points"][f"modelry.{KINDS[kind]}.v1"]["my-toy"] == "modelry_my_toy._plugin"
    assert (written / "src" / "modelry_my_toy" / "_plugin.py").is_file()
    assert not [file for file in written.rglob("*") if "$" in file.name or file.suffix == ".template"]
