"""A plugin that does not keep its promises is refused with its name and the cause, and harms no other."""

import sys

import pytest

from modelry_registry import BrokenPlugin

HEAD = "from modelry_registry import ModelFamily, Task, hookimpl\n"
HOOK = HEAD + "@hookimpl\ndef modelry_register(registrar):\n    "
TOY = "registrar.task(Task(name='toy', pipeline='a:B', heads=()))\n"


def refused(site, source: str, **more) -> BrokenPlugin:
    """Install a good plugin and a bad one; the bad one is refused twice alike, the good one works on."""
    site.install("good-plugin", entries={"modelry.tasks.v1": ["good"]})
    site.install("bad-plugin", source=source, **more)
    registry = site.registry()
    texts = []
    for _ in range(2):
        with pytest.raises(BrokenPlugin) as caught:
            registry.get("tasks", "toy")
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    assert "bad-plugin 1.0" in texts[0]
    assert registry.get("tasks", "good").name == "good"
    assert registry.names("tasks") == ("good", "toy")
    return caught.value


@pytest.mark.parametrize(
    ("source", "cause", "words"),
    [
        ("import zz_no_such_module", ModuleNotFoundError, "zz_no_such_module"),
        ("def (", SyntaxError, "SyntaxError"),
        ("raise SystemExit(3)", SystemExit, "SystemExit: 3"),
        ("import sys; sys.exit()", SystemExit, "SystemExit"),
        ("raise BaseException('odd')", BaseException, "odd"),
        ("1 / 0", ZeroDivisionError, "division by zero"),
        (HOOK + "raise SystemExit", SystemExit, "SystemExit"),
        (HOOK + TOY + "    1 / 0", ZeroDivisionError, "division by zero"),
        (HOOK + TOY + "    " + TOY, ValueError, "tasks:toy is registered twice"),
        (HOOK + "registrar.model(Task(name='toy', pipeline='a:B', heads=()))", TypeError, "expected a ModelFamily"),
        (HOOK + "registrar.task('toy')", TypeError, "got a str"),
        (HOOK + "registrar.task(Task(name='../x', pipeline='a:B', heads=()))", ValueError, "is not a name"),
        (HOOK + "registrar.task(Task(name='toy', pipeline='a', heads=()))", ValueError, "is not a reference"),
        (HEAD + "@hookimpl\ndef modelry_register(registrar, extra): ...", None, "extra"),
        (HOOK + TOY + "@hookimpl\ndef modelry_no_such_hook(): ...", None, "modelry_no_such_hook"),
    ],
)
def test_broken_plugins(site, source, cause, words):
    error = refused(site, source)
    assert "zz_bad_plugin" in str(error)
    assert words in str(error)
    assert error.__cause__ is not None
    assert cause is None or type(error.__cause__) is cause


def test_a_module_without_the_hook(site):
    assert "does not implement modelry_register" in str(refused(site, "x = 1"))


def test_a_module_that_is_not_there(site):
    assert "No module named" in str(refused(site, ""))


def test_an_entry_point_that_is_no_module(site):
    assert "is not the name of a module" in str(refused(site, "", module="zz_a:b"))


def test_a_plugin_that_registers_what_it_does_not_declare(site):
    family = "registrar.model(ModelFamily(model_type='extra', config='a:B', heads={}))\n"
    error = refused(site, HOOK + TOY + "    " + family)
    assert "registers models:extra, which its metadata does not declare" in str(error)
    assert site.registry().names("models") == ()


def test_a_plugin_that_declares_what_it_does_not_register(site):
    source = HOOK + TOY
    site.install("liar", entries={"modelry.tasks.v1": ["toy", "more"]}, source=source)
    registry = site.registry()
    assert registry.get("tasks", "toy").name == "toy"
    with pytest.raises(BrokenPlugin, match="declares tasks:more, and modelry_register does not register it"):
        registry.get("tasks", "more")


def test_a_failure_is_rolled_back_and_the_code_runs_once(site):
    source = "import zz_count\nzz_count.runs.append(1)\n" + HOOK + TOY + "    1 / 0"
    (site.folder / "zz_count.py").write_text("runs = []\n")
    refused(site, source)
    assert sys.modules["zz_count"].runs == [1]


def test_a_name_of_a_broken_plugin_is_not_served_by_what_it_managed_to_register(site):
    entries = {"modelry.tasks.v1": ["toy", "more"]}
    site.install("half", entries=entries, source=HOOK + TOY + "    raise SystemExit")
    registry = site.registry()
    for name in entries["modelry.tasks.v1"]:
        with pytest.raises(BrokenPlugin, match="SystemExit"):
            registry.get("tasks", name)


def test_a_keyboard_interrupt_is_the_user_s_and_is_not_remembered(site):
    (site.folder / "zz_mood.py").write_text("error = KeyboardInterrupt\n")
    site.install("toy-plugin", source="import zz_mood\nif zz_mood.error: raise zz_mood.error\n" + HOOK + TOY)
    registry = site.registry()
    with pytest.raises(KeyboardInterrupt):
        registry.get("tasks", "toy")
    sys.modules["zz_mood"].error = None
    assert registry.get("tasks", "toy").name == "toy"


def test_two_distributions_that_share_a_module(site):
    site.install("first", module="zz_shared")
    site.install("second", entries={"modelry.tasks.v1": ["toy"]}, module="zz_shared")
    registry = site.registry()
    assert registry.get("tasks", "toy", plugin="first").name == "toy"
    with pytest.raises(BrokenPlugin, match="belongs to first:zz_shared too"):
        registry.get("tasks", "toy", plugin="second")


def test_a_registrar_is_shut_after_registration(site):
    site.install("keeper", source=HOOK + TOY + "    global kept\n    kept = registrar")
    site.registry().get("tasks", "toy")
    from modelry_registry import RegistryError, Task

    with pytest.raises(RegistryError, match="do not keep it"):
        sys.modules["zz_keeper"].kept.task(Task(name="late", pipeline="a:B", heads=()))


def test_a_plugin_that_looks_another_up_while_it_registers(site):
    site.install("inner", entries={"modelry.tasks.v1": ["inner"]})
    site.install("outer", source=HOOK + "import zz_mood; zz_mood.registry.get('tasks', 'inner')\n    " + TOY)
    (site.folder / "zz_mood.py").write_text("")
    import zz_mood

    zz_mood.registry = site.registry()
    assert zz_mood.registry.get("tasks", "toy").name == "toy"
    assert zz_mood.registry.get("tasks", "inner").name == "inner"


def test_a_message_that_cannot_be_printed(site):
    source = "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd"
    assert "Odd: (its message cannot be printed)" in str(refused(site, source))
