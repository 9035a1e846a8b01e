"""Hooks run over the plugins of one load and the user's observers: loading A before B does not change B."""

import pytest

from modelry_registry import BrokenPlugin, HookSet, MissingPlugin, Registry, RegistryError, UnknownName

SOURCE = """
from modelry_registry import Task, hookimpl

@hookimpl
def modelry_register(registrar):
    registrar.task(Task(name={name!r}, pipeline="a:B", heads=()))

@hookimpl
def modelry_logits_processors(config):
    return [{name!r}]

@hookimpl
def modelry_before_load(reference):  # fewer arguments than the specification
    if reference == "refuse":
        raise ValueError({name!r})
"""

OBSERVER = """
from modelry_registry import HookSet, hookimpl

@hookimpl
def modelry_register(registrar):
    registrar.hooks(HookSet(name="watch", hooks="zz_watch:observer"))

class Observer:
    def __init__(self): self.seen = []

    @hookimpl
    def modelry_before_load(self, reference, config): self.seen.append((reference, config))

    @hookimpl
    def modelry_logits_processors(self, config): return ["watch"]

observer = Observer()
"""


@pytest.fixture
def three(site):
    for name in ("a", "b"):
        site.install(name, entries={"modelry.tasks.v1": [name]}, source=SOURCE.format(name=name))
    site.install("watch", entries={"modelry.hooks.v1": ["watch"]}, source=OBSERVER)
    return site


def processors(registry, *names: str) -> list[str]:
    hooks = registry.hooks([registry.provider("tasks", name) for name in names])
    return [one for some in hooks.modelry_logits_processors(config=None) for one in some]


def test_only_the_participants_take_part(three):
    registry = three.registry()
    assert processors(registry, "b") == ["b"]
    registry.get("tasks", "a")
    assert processors(registry, "b") == ["b"]
    assert processors(registry, "a", "b", "a") == ["a", "b"]
    assert processors(registry) == []


def test_a_caller_made_before_another_plugin_is_activated_does_not_change(three):
    registry = three.registry()
    hooks = registry.hooks([registry.provider("tasks", "b")])
    registry.get("tasks", "a")
    processors(registry, "a")
    assert hooks.modelry_logits_processors(config=None) == [["b"]]


def test_observers_take_part_when_the_user_switches_them_on(three):
    registry = three.registry(MODELRY_HOOKS="watch")
    hooks = registry.hooks([registry.provider("tasks", "a")])
    hooks.modelry_before_load(reference="folder", config=1)
    import zz_watch

    assert zz_watch.observer.seen == [("folder", 1)]
    assert processors(registry, "b") == ["b", "watch"]
    assert processors(three.registry(), "b") == ["b"]


def test_a_hook_may_refuse(three):
    registry = three.registry()
    with pytest.raises(ValueError, match="a"):
        registry.hooks([registry.provider("tasks", "a")]).modelry_before_load(reference="refuse", config=None)


def test_no_participants_and_hooks_nobody_implements(three):
    hooks = three.registry().hooks([])
    assert hooks.modelry_after_load(model=None) == []
    assert hooks.modelry_doctor() == []


def test_a_misspelt_observer_is_an_error_that_names_the_variable(three):
    with pytest.raises(UnknownName, match=r"MODELRY_HOOKS switches wach on: .*Did you mean watch"):
        three.registry(MODELRY_HOOKS="wach").hooks([])


def test_a_known_observer_that_is_not_installed(three, monkeypatch):
    monkeypatch.setattr("modelry_registry.known.known_plugins", lambda: {"hooks": {"trace": "modelry-trace"}})
    with pytest.raises(MissingPlugin, match=r"MODELRY_HOOKS switches trace on: .*pip install modelry-trace") as caught:
        three.registry(MODELRY_HOOKS="trace").hooks([])
    assert caught.value.distributions == ("modelry-trace",)


def test_an_observer_that_does_not_fit_its_specification(site):
    source = OBSERVER.replace("before_load(self, reference, config)", "before_load(self, nonsense)")
    site.install("watch", entries={"modelry.hooks.v1": ["watch"]}, source=source)
    with pytest.raises(BrokenPlugin, match="nonsense"):
        site.registry(MODELRY_HOOKS="watch").hooks([])


def test_an_observer_that_cannot_be_imported(site):
    site.install("watch", entries={"modelry.hooks.v1": ["watch"]}, source=OBSERVER.replace("observer = ", "nothing = "))
    told = r"MODELRY_HOOKS switches watch on: zz_watch:observer of watch 1\.0 cannot be imported"
    with pytest.raises(RegistryError, match=told):
        site.registry(MODELRY_HOOKS="watch").hooks([])


def test_an_observer_given_in_process_need_not_be_hashable(site):
    source = OBSERVER.replace("class Observer:", "class Observer:\n    __hash__ = None")
    (site.folder / "zz_watch.py").write_text(source)
    spec = HookSet(name="watch", hooks="zz_watch:observer")
    registry = Registry([], {"MODELRY_HOOKS": "watch"}).extended(spec)
    participants = registry.candidates
    assert registry.hooks(participants).modelry_logits_processors(config=None) == [["watch"]]
