"""The environment variables are read once, checked, and name themselves when wrong."""

import pytest

from modelry_registry import RegistryError
from modelry_registry.controls import Controls


def test_unset_variables_decide_nothing():
    controls = Controls.read({})
    assert controls.allowed is None
    assert controls.switched_off_by("anything") == ""
    assert not controls.strict


def test_lists_are_canonical_and_tolerate_spaces():
    environ = {"MODELRY_PLUGINS": " Toy_Plugin , other.plugin,", "MODELRY_DISABLE_PLUGINS": "OTHER_plugin"}
    controls = Controls.read(environ)
    assert controls.switched_off_by("toy-plugin") == ""
    assert controls.switched_off_by("other-plugin") == "MODELRY_DISABLE_PLUGINS"
    assert controls.switched_off_by("third") == "MODELRY_PLUGINS"


def test_an_empty_allow_list_means_none():
    assert Controls.read({"MODELRY_PLUGINS": ""}).switched_off_by("modelry-core") == "MODELRY_PLUGINS"


def test_preferences():
    controls = Controls.read({"MODELRY_PREFER": "models:llama=My_Llama, tasks:toy=b"})
    assert controls.preferred == {("models", "llama"): "my-llama", ("tasks", "toy"): "b"}


def test_observers_keep_their_order():
    assert Controls.read({"MODELRY_HOOKS": "b, a,b"}).observers == ("b", "a")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MODELRY_PREFER", "llama=x"),
        ("MODELRY_PREFER", "models:llama"),
        ("MODELRY_PREFER", "widgets:llama=x"),
        ("MODELRY_PREFER", "models:../x=y"),
        ("MODELRY_PLUGINS", "a b"),
        ("MODELRY_DISABLE_PLUGINS", "../x"),
        ("MODELRY_HOOKS", "a;b"),
        ("MODELRY_STRICT_PLUGINS", "perhaps"),
    ],
)
def test_malformed_values_name_their_variable(variable, value):
    with pytest.raises(RegistryError, match=variable):
        Controls.read({variable: value})


@pytest.mark.parametrize(("value", "strict"), [("1", True), ("TRUE", True), ("0", False), ("", False), ("off", False)])
def test_the_strict_switch(value, strict):
    assert Controls.read({"MODELRY_STRICT_PLUGINS": value}).strict is strict
