"""Every plugin runs in a process of its own: hanging, exiting and printing ones are reported and harm no other."""

import time

import pytest

from modelry_registry.doctor import examine_all, summary

HEAD = "from modelry_registry import HookSet, Task, hookimpl\n"
HOOK = HEAD + "@hookimpl\ndef modelry_register(registrar):\n    "
TOY = "registrar.task(Task(name='toy', pipeline='{pipeline}', heads=()))\n"


@pytest.fixture
def report(site, monkeypatch):
    """Examine what is in `site` only: {distribution: [(code, message)]}."""

    def run(**options) -> dict[str, list[tuple[str, str]]]:
        names = ",".join({one.distribution for one in site.registry().candidates})
        monkeypatch.setenv("MODELRY_PLUGINS", names)
        found: dict[str, list[tuple[str, str]]] = {}
        for one in examine_all(site.registry(), **options):
            found.setdefault(one.distribution, []).append((one.code, one.message))
        return found

    return run


def test_sound_plugins(site, report):
    site.install("toy-plugin")
    assert report() == {}
    assert summary([]) == "problems: 0, notes: 0"


def test_what_can_go_wrong_in_a_plugin(site, report):
    site.install("exits", source="import os; os._exit(0)")
    site.install("crashes", source="import os\nos.write(2, b'last cry')\nos.abort()")
    site.install("raises", source="1 / 0")
    site.install("lies", entries={"modelry.tasks.v1": ["toy", "more"]}, source=HOOK + TOY.format(pipeline="os:path"))
    site.install("prints", source="print('[]' * 99)\n" + HOOK + TOY.format(pipeline="os:path"))
    site.install("dangles", source=HOOK + TOY.format(pipeline="zz_nowhere.at_all:Toy"))
    doctor = "@hookimpl\ndef modelry_doctor():\n    "
    site.install("unwell", source=HOOK + TOY.format(pipeline="os:path") + doctor + "return ['no driver', 'too old']")
    site.install("faints", source=HOOK + TOY.format(pipeline="os:path") + doctor + "raise SystemExit(7)")
    found = report()
    assert "ended its process with status 0" in found["exits"][0][1]
    assert "last cry" in found["crashes"][0][1]
    assert "ZeroDivisionError" in found["raises"][0][1]
    assert "tasks:more" in found["lies"][0][1]
    assert "prints" not in found
    assert "No module named 'zz_nowhere'" in found["dangles"][0][1]
    assert found["unwell"] == [("reported", "unwell: no driver"), ("reported", "unwell: too old")]
    assert "modelry_doctor failed: SystemExit: 7" in found["faints"][0][1]
    assert [code for code, _ in found[""]] == ["ambiguous"]


def test_a_plugin_that_hangs_is_stopped_with_all_it_started(site, report):
    child = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    site.install("hangs", source=f"import subprocess, sys, time\n{child}\ntime.sleep(600)")
    start = time.monotonic()
    found = report(timeout_seconds=2)
    assert time.monotonic() - start < 60
    assert found == {"hangs": [("broken", "hangs did not finish within 2 s and was stopped")]}


def test_disabled_plugins_do_not_run(site, monkeypatch):
    site.install("bad", source="1 / 0")
    registry = site.registry(MODELRY_DISABLE_PLUGINS="bad")
    (finding,) = examine_all(registry)
    assert (finding.code, finding.problem) == ("disabled", False)
    assert summary([finding]) == "problems: 0, notes: 1"


def test_an_observer_s_doctor_runs_when_it_is_switched_on(site, report, monkeypatch):
    source = HOOK + "registrar.hooks(HookSet(name='watch', hooks='zz_watch:observer'))\n"
    source += "class Observer:\n    @hookimpl\n    def modelry_doctor(self): return ['observed']\n"
    source += "observer = Observer()\n"
    site.install("watch", entries={"modelry.hooks.v1": ["watch"]}, source=source)
    assert report() == {}
    monkeypatch.setenv("MODELRY_HOOKS", "watch")
    assert report() == {"watch": [("reported", "watch: observed")]}
