"""Looking names up: every row of the design's table of failures, and that a failure stays where it is."""

import threading

import pytest

from modelry_registry import (
    AmbiguousName,
    Candidate,
    DisabledPlugin,
    IncompatiblePlugin,
    MissingPlugin,
    ModelryError,
    Registry,
    RegistryError,
    Task,
    UnknownName,
)
from modelry_registry import known as known_module

KNOWN = {"models": {"mistral": "modelry-plugin-mistral"}, "quantizers": {"int4": "modelry-plugin-int4"}}


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(known_module, "known_plugins", lambda: KNOWN)


def task(name: str, *, distribution: str = "toy-plugin", api: int = 1) -> Candidate:
    return Candidate("tasks", name, api, distribution, "1.0", "zz_absent")


def test_get_gives_the_spec_and_imports_once(site):
    site.install("toy-plugin")
    registry = site.registry()
    spec = registry.get("tasks", "toy")
    assert isinstance(spec, Task)
    assert spec.pipeline == "zz_toy_plugin_real:Toy"
    assert registry.get("tasks", "toy") is spec


def test_provider_and_names_import_nothing(site):
    site.install("toy-plugin", source="raise SystemExit(3)")
    registry = site.registry()
    assert registry.names("tasks") == ("toy",)
    provider = registry.provider("tasks", "toy")
    assert (provider.distribution, provider.version) == ("toy-plugin", "1.0")


def test_a_known_plugin_that_is_missing(known):
    with pytest.raises(MissingPlugin, match="Run: pip install modelry-plugin-mistral") as caught:
        Registry([], {}).get("models", "mistral")
    assert caught.value.distributions == ("modelry-plugin-mistral",)


def test_all_missing_names_come_in_one_error(known):
    with pytest.raises(MissingPlugin) as caught:
        Registry([], {}).require([("models", "mistral"), ("quantizers", "int4")], asked_by="x/config.json")
    text = str(caught.value)
    assert "x/config.json asks for model_type 'mistral' and quantization method 'int4'" in text
    assert text.endswith("Run: pip install modelry-plugin-int4 modelry-plugin-mistral")


def test_different_failures_come_in_one_error_too(known):
    with pytest.raises(RegistryError) as caught:
        Registry([task("toy", api=2)], {}).require(
            [("models", "mistral"), ("tasks", "toy"), ("models", "nobody")], asked_by="config.json"
        )
    text = str(caught.value)
    assert all(word in text for word in ("MissingPlugin", "IncompatiblePlugin", "UnknownName", "'nobody'"))


def test_what_asks_is_named_whatever_failed():
    with pytest.raises(IncompatiblePlugin, match=r"^x/config\.json: task 'toy' is provided by toy-plugin"):
        Registry([task("toy", api=2)], {}).require([("tasks", "toy")], asked_by="x/config.json")


def test_require_is_silent_when_all_is_there():
    Registry([task("toy")], {}).require([("tasks", "toy")], asked_by="here")


def test_require_prefers_a_plugin_for_the_names_it_provides():
    registry = Registry([task("toy", distribution="a"), task("toy", distribution="b"), task("other")], {})
    registry.require([("tasks", "toy"), ("tasks", "other")], asked_by="here", plugin="a")
    with pytest.raises(AmbiguousName):
        registry.require([("tasks", "toy")], asked_by="here")


def test_an_unknown_name_gets_close_matches_and_no_package_name():
    with pytest.raises(UnknownName, match="Did you mean toy-task") as caught:
        Registry([task("toy-task")], {}).get("tasks", "Toy-tusk")
    assert "pip" not in str(caught.value)
    with pytest.raises(UnknownName, match="Installed: toy-task") as caught:
        Registry([task("toy-task")], {}).get("tasks", "qwerty")
    assert "pip" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["../../x", "x" * 10_000, "a; rm -rf /", "$(id)", "", " ", "a\nb", "\x1b[31m", "../", "näme", None, 7, {}, ["a"]],
)
def test_hostile_names_are_refused_and_shortened(name):
    for act in (
        lambda registry: registry.get("models", name),
        lambda registry: registry.provider("models", name),
    ):
        with pytest.raises(UnknownName) as caught:
            act(Registry([], {}))
        text = str(caught.value)
        assert len(text) < 300
        assert text.isprintable()
        assert "pip" not in text


def test_a_hostile_name_in_require_names_the_file():
    with pytest.raises(UnknownName, match=r"^x/config\.json: '\.\./x'"):
        Registry([], {}).require([("models", "../x")], asked_by="x/config.json")


def test_an_unknown_kind():
    with pytest.raises(UnknownName, match="the kinds are models, tasks"):
        Registry([], {}).names("widgets")


def test_disabled_names_the_variable():
    with pytest.raises(DisabledPlugin, match="MODELRY_DISABLE_PLUGINS") as caught:
        Registry([task("toy")], {"MODELRY_DISABLE_PLUGINS": "Toy_Plugin"}).get("tasks", "toy")
    assert "toy-plugin 1.0" in str(caught.value)
    registry = Registry([task("toy")], {"MODELRY_PLUGINS": ""})
    assert registry.names("tasks") == ()
    with pytest.raises(DisabledPlugin, match="Add it to MODELRY_PLUGINS"):
        registry.get("tasks", "toy")


def test_incompatible_is_found_before_import_and_says_which_side(site):
    site.install("too-new", entries={"modelry.tasks.v2": ["toy"]}, source="raise SystemExit")
    registry = site.registry()
    assert registry.names("tasks") == ()
    with pytest.raises(IncompatiblePlugin, match=r"version 2 of the tasks API.*--upgrade modelry-registry"):
        registry.get("tasks", "toy")


def test_incompatible_with_an_older_api(monkeypatch):
    monkeypatch.setattr("modelry_registry.failures.SUPPORTED_APIS", {"tasks": (2,)})
    monkeypatch.setattr("modelry_registry.candidates.SUPPORTED_APIS", {"tasks": (2,)})
    with pytest.raises(IncompatiblePlugin, match="pip install --upgrade toy-plugin"):
        Registry([task("toy")], {}).get("tasks", "toy")


def test_a_plugin_that_serves_two_api_versions_is_used_by_the_one_we_know(site):
    site.install("both", entries={"modelry.tasks.v1": ["toy"], "modelry.tasks.v2": ["toy"]})
    registry = site.registry()
    assert registry.provider("tasks", "toy").api == 1
    assert registry.get("tasks", "toy").name == "toy"


@pytest.fixture
def two() -> list[Candidate]:
    return [task("toy", distribution="b"), task("toy", distribution="a"), task("other", distribution="a")]


def test_two_distributions_of_one_name(two):
    registry = Registry(two, {})
    with pytest.raises(AmbiguousName) as caught:
        registry.get("tasks", "toy")
    text = str(caught.value)
    assert text.index("a 1.0") < text.index("b 1.0")
    assert all(way in text for way in ("plugin='a'", "MODELRY_PREFER=tasks:toy=a", "uninstall"))
    assert registry.provider("tasks", "other").distribution == "a"
    assert registry.names("tasks") == ("other", "toy")


def test_the_ways_out_of_ambiguity(two):
    assert Registry(two, {}).provider("tasks", "toy", plugin="B").distribution == "b"
    assert Registry(two, {"MODELRY_PREFER": "tasks:toy=b"}).provider("tasks", "toy").distribution == "b"
    assert Registry(two, {"MODELRY_DISABLE_PLUGINS": "a"}).provider("tasks", "toy").distribution == "b"
    with pytest.raises(AmbiguousName, match="MODELRY_PREFER names c, which is none of them"):
        Registry(two, {"MODELRY_PREFER": "tasks:toy=c"}).provider("tasks", "toy")


def test_a_preference_for_a_stranger_does_not_disturb_a_sole_provider(two):
    assert Registry(two, {"MODELRY_PREFER": "tasks:other=c"}).provider("tasks", "other").distribution == "a"


def test_plugin_that_does_not_provide_the_name(two):
    with pytest.raises(UnknownName, match=r"plugin='c' does not provide task 'toy'; a 1\.0"):
        Registry(two, {}).provider("tasks", "toy", plugin="c")
    with pytest.raises(DisabledPlugin):
        Registry(two, {"MODELRY_DISABLE_PLUGINS": "a"}).provider("tasks", "toy", plugin="a")


def test_extended_adds_specs_and_leaves_the_first_alone():
    first = Registry([task("other")], {"MODELRY_PLUGINS": ""})
    spec = Task(name="toy", pipeline="a:B", heads=("base",))
    second = first.extended(spec).extended(Task(name="more", pipeline="a:B", heads=()))
    assert second.get("tasks", "toy") is spec
    assert second.names("tasks") == ("more", "toy")
    assert second.provider("tasks", "toy").distribution == "toy"
    assert second.plugins(second.candidates[:1]) == []
    with pytest.raises(DisabledPlugin):
        second.get("tasks", "other")
    with pytest.raises(UnknownName):
        first.get("tasks", "toy")


def test_an_extension_does_not_win_silently():
    registry = Registry([task("toy")], {}).extended(Task(name="toy", pipeline="a:B", heads=()))
    with pytest.raises(AmbiguousName):
        registry.get("tasks", "toy")
    assert registry.get("tasks", "toy", plugin="toy").name == "toy"


def test_threads_activate_a_plugin_once(site):
    source = (
        "import time, zz_count\nzz_count.runs.append(1)\ntime.sleep(0.05)\n"
        "from modelry_registry import Task, hookimpl\n"
        "@hookimpl\ndef modelry_register(registrar):\n    time.sleep(0.05)\n"
        "    registrar.task(Task(name='toy', pipeline='a:B', heads=()))\n"
    )
    site.install("toy-plugin", source=source)
    broken = "import zz_count\nzz_count.bad.append(1)\n1/0\n"
    site.install("broken", entries={"modelry.tasks.v1": ["bad"]}, source=broken)
    (site.folder / "zz_count.py").write_text("runs, bad = [], []\n")
    registry, seen, start = site.registry(), [], threading.Barrier(16)

    def look() -> None:
        start.wait()
        seen.append(registry.get("tasks", "toy"))
        try:
            registry.get("tasks", "bad")
        except ModelryError as error:
            seen.append(str(error))

    threads = [threading.Thread(target=look) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    import zz_count

    assert (len(zz_count.runs), len(zz_count.bad)) == (1, 1)
    assert len({id(one) for one in seen if isinstance(one, Task)}) == 1
    assert len({one for one in seen if isinstance(one, str)}) == 1
    assert len(seen) == 32
