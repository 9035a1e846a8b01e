"""What metadata alone can tell, and strict mode, which runs everything and fails fast."""

import pytest

from modelry_registry import Registry, RegistryError
from modelry_registry.health import inspect_metadata
from modelry_registry.scan import scan


def codes(registry: Registry) -> list[tuple[str, bool]]:
    return sorted((one.code, one.problem) for one in inspect_metadata(registry))


def test_nothing_to_say(site):
    site.install("toy-plugin")
    assert inspect_metadata(site.registry()) == []


def test_every_finding_of_the_metadata(site, monkeypatch):
    site.install("one", entries={"modelry.tasks.v1": ["toy"]})
    site.install("two", entries={"modelry.tasks.v1": ["toy"]})
    site.install("off", entries={"modelry.tasks.v1": ["off"]})
    site.install("new", entries={"modelry.tasks.v9": ["new"]})
    site.install("old", entries={"modelry.tasks.v1": ["old"]}, version="2")
    site.install("old", entries={"modelry.tasks.v1": ["old"]}, version="1", egg=True)
    site.install("hider", entries={"modelry.commands.v1": ["plugins"]}, source="")
    environ = {
        "MODELRY_DISABLE_PLUGINS": "off",
        "MODELRY_PREFER": "tasks:none=one",
        "MODELRY_HOOKS": "nothing",
        "MODELRY_PLUGINS": "one,two,off,new,old,hider,absent",
    }
    found = scan([str(site.folder)])
    monkeypatch.setattr("modelry_registry.registry.scan", lambda: found)
    assert codes(Registry(environ=environ)) == [
        ("ambiguous", True),
        ("disabled", False),
        ("incompatible", True),
        ("malformed", True),
        ("shadowed", False),
        ("unmatched", True),
        ("unmatched", True),
        ("unmatched", True),
    ]


def test_strict_mode_passes_what_is_sound(site):
    site.install("toy-plugin")
    assert site.registry(MODELRY_STRICT_PLUGINS="1").names("tasks") == ("toy",)


def test_strict_mode_lists_everything_that_is_wrong(site):
    site.install("toy-plugin")
    site.install("bad", entries={"modelry.tasks.v1": ["bad"]}, source="raise SystemExit(9)")
    site.install("new", entries={"modelry.tasks.v9": ["new"]})
    with pytest.raises(RegistryError, match=r"have problems \(3\)") as caught:
        site.registry(MODELRY_STRICT_PLUGINS="1", MODELRY_HOOKS="nothing")
    assert all(word in str(caught.value) for word in ("MODELRY_STRICT_PLUGINS", "SystemExit: 9", "new 1.0", "nothing"))


def test_strict_mode_leaves_alone_what_is_switched_off(site):
    site.install("bad", source="raise SystemExit(9)")
    site.registry(MODELRY_STRICT_PLUGINS="1", MODELRY_DISABLE_PLUGINS="bad")


def test_strict_mode_resolves_observers(site):
    source = (
        "from modelry_registry import HookSet, hookimpl\n@hookimpl\ndef modelry_register(registrar):\n"
        "    registrar.hooks(HookSet(name='watch', hooks='zz_watch:nothing'))\n"
    )
    site.install("watch", entries={"modelry.hooks.v1": ["watch"]}, source=source)
    site.registry(MODELRY_STRICT_PLUGINS="1")
    with pytest.raises(RegistryError, match="zz_watch:nothing"):
        site.registry(MODELRY_STRICT_PLUGINS="1", MODELRY_HOOKS="watch")
