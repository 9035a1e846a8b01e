"""Names of a package that bring their module along when they are first used."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelry_registry.lazy import lazy_names


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with the modules `words` and `plain`."""
    folder = tmp_path / "lazy_sample"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "words.py").write_text("hello, goodbye = 'hello', 'goodbye'\n")
    (folder / "plain.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("lazy_sample")
    yield "lazy_sample"
    for name in [name for name in sys.modules if name.partition(".")[0] == "lazy_sample"]:
        del sys.modules[name]


def test_a_module_comes_with_its_first_name(package: str) -> None:
    find, names = lazy_names(package, {"words": "hello goodbye"}, modules=("plain",))
    assert {"hello", "goodbye", "plain"} <= set(names())
    assert "lazy_sample.words" not in sys.modules
    assert find("hello") == "hello"
    assert vars(sys.modules[package])["hello"] == "hello"
    assert find("plain").__name__ == "lazy_sample.plain"


def test_names_that_are_not(package: str) -> None:
    find, _ = lazy_names(package, {"words": "hello"})
    with pytest.raises(AttributeError, match="module 'lazy_sample' has no attribute 'goodbye'"):
        find("goodbye")
