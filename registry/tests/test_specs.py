"""Specs are frozen and checked when made."""

from dataclasses import FrozenInstanceError

import pytest

from modelry_registry import Callback, Command, HookSet, ModelFamily, Optimizer, PublicName, Schedule, Task
from modelry_registry.naming import KINDS
from modelry_registry.specs import SPECS


def family(**changes) -> ModelFamily:
    return ModelFamily(**({"model_type": "toy", "config": "a.b:C", "heads": {"base": "a.b:D"}} | changes))


def test_every_kind_has_a_spec():
    assert tuple(SPECS) == KINDS
    assert " ".join(SPECS) == (
        "models tasks decoders quantizers attention checkpoints commands hooks optimizers schedules callbacks names"
    )
    assert all(spec.kind == kind for kind, spec in SPECS.items())


def test_key_and_references():
    spec = family(preprocessors={"tokenizer": "t:T"})
    assert spec.key == "toy"
    assert dict(spec.references()) == {"config": "a.b:C", "heads['base']": "a.b:D", "preprocessors['tokenizer']": "t:T"}


def test_frozen_to_the_bottom():
    heads = {"base": "a.b:D"}
    spec = family(heads=heads)
    heads["base"] = "evil"
    assert spec.heads["base"] == "a.b:D"
    with pytest.raises(TypeError):
        spec.heads["base"] = "evil"
    with pytest.raises(FrozenInstanceError):
        spec.config = "x:Y"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "../x"}, "is not a name"),
        ({"model_type": "x" * 65}, "is not a name"),
        ({"model_type": 3}, "a int is not a name"),
        ({"config": "a.b"}, "config 'a.b' is not a reference"),
        ({"heads": {"base": "a b:C"}}, r"heads\['base'\] 'a b:C'"),
        ({"released": "2024"}, "is not a date"),
    ],
)
def test_refusals(changes, words):
    with pytest.raises(ValueError, match=words):
        family(**changes)


def test_other_kinds():
    assert Task(name="t", pipeline="a:B", heads=()).key == "t"
    assert Command(name="c", command="a:b").references is not None
    assert HookSet(name="h", hooks="a:b").kind == "hooks"
    assert Optimizer(name="o", make="a:b").kind == "optimizers"
    assert Schedule(name="s", make="a:b").kind == "schedules"
    assert Callback(name="c", callback="a:B").kind == "callbacks"
    assert PublicName(name="Trainer", value="a:B").kind == "names"
