"""`import modelry` is light, and every public name is there when asked for."""

import importlib
from collections import OrderedDict
from collections.abc import Callable

import pytest

import modelry
from modelry_registry import MissingPlugin, PublicName, Registry, use_registry
from modelry_testing.calls import calls_in_a_fresh_interpreter


def test_importing_is_light(run_fresh: Callable[..., str]) -> None:
    code = (
        "import sys\n"
        "import modelry\n"
        "print(sorted({'torch', 'numpy', 'pydantic', 'tokenizers', 'huggingface_hub', 'jinja2'} & set(sys.modules)))"
    )
    assert run_fresh(code).strip() == "[]"
    assert calls_in_a_fresh_interpreter("import modelry") < 30_000  # measured: 13,400


@pytest.mark.parametrize("name", [name for name in modelry.__all__ if not name.startswith("__")])
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(modelry, name) is not None
    assert name in dir(modelry)


def test_names_that_are_not() -> None:
    with pytest.raises(AttributeError, match="module 'modelry' has no attribute 'nothing'"):
        _ = modelry.nothing
    with pytest.raises(ImportError):
        importlib.import_module("modelry.utils")


def test_a_name_that_a_plugin_brings() -> None:
    brought = PublicName(name="Ordered", value="collections:OrderedDict")
    with use_registry(Registry([]).extended(brought)):
        assert modelry.Ordered is OrderedDict
    with pytest.raises(AttributeError, match="no attribute 'Ordered'"), use_registry(Registry([])):
        _ = modelry.Ordered


def test_a_name_whose_package_is_known_and_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelry_registry.known.known_plugins", lambda: {"names": {"Ordered": "modelry-orders"}})
    with use_registry(Registry([])), pytest.raises(MissingPlugin, match="pip install modelry-orders"):
        from modelry import Ordered  # noqa: F401  to import it is what fails


def test_the_tree_of_errors_is_drawn_in_full() -> None:
    from modelry import errors

    assert all(name in (errors.__doc__ or "") for name in errors.__all__)
    for name in errors.__all__:
        cls = getattr(errors, name)
        assert issubclass(cls, Warning if name == "ModelryWarning" else errors.ModelryError)
