"""One registry a process; another one inside a block, in this thread only."""

import threading

import pytest

from modelry_registry import Registry, RegistryError, current, get_registry, use_registry


def test_the_process_has_one_registry(monkeypatch):
    monkeypatch.setattr(current, "_scanned", [])
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(get_registry())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len({id(one) for one in seen}) == 1
    assert seen[0] is get_registry()


def test_use_registry_nests_and_ends():
    first, second, outside = Registry([], {}), Registry([], {}), get_registry()
    with use_registry(first) as given:
        assert given is first is get_registry()
        with use_registry(second):
            assert get_registry() is second
        assert get_registry() is first
    assert get_registry() is outside


def test_it_ends_when_the_block_fails():
    outside = get_registry()
    with pytest.raises(ZeroDivisionError), use_registry(Registry([], {})):
        1 / 0  # noqa: B018  it raises
    assert get_registry() is outside


def test_other_threads_do_not_see_it():
    seen = []
    inside = Registry([], {})
    with use_registry(inside):
        thread = threading.Thread(target=lambda: seen.append(get_registry()))
        thread.start()
        thread.join(timeout=30)
    assert seen[0] is not inside


def test_a_plugin_that_asks_for_the_registry_in_strict_mode_does_not_block(site, monkeypatch):
    source = "from modelry_registry import Task, get_registry, hookimpl\nget_registry()\n@hookimpl\n"
    source += "def modelry_register(registrar):\n    registrar.task(Task(name='toy', pipeline='a:B', heads=()))\n"
    site.install("asks", source=source)
    monkeypatch.setattr(current, "_scanned", [])
    monkeypatch.setenv("MODELRY_STRICT_PLUGINS", "1")
    monkeypatch.setenv("MODELRY_PLUGINS", "asks")
    with pytest.raises(RegistryError, match="asks"):
        get_registry()
