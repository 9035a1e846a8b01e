"""The program: every `plugins` command, text and JSON, and commands that plugins provide."""

import errno
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner, Result

from modelry_registry import Command, Registry, use_registry
from modelry_registry.cli import main

COMMANDS = """
import click
print("imported")

@click.command()
@click.argument("word")
def hello(word):
    "Not this help."
    from modelry_registry import ModelryError
    if word == "fail":
        raise ModelryError("it failed on purpose")
    click.echo(f"hello {word}")

thing = 1
"""


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def only(site, monkeypatch):
    """Let the commands see the plugins in `site` alone."""

    def allow() -> None:
        monkeypatch.setenv("MODELRY_PLUGINS", ",".join({one.distribution for one in site.registry().candidates}))

    return allow


def test_list(site, only):
    site.install("toy-plugin", source="raise SystemExit('imported')")
    only()
    lines = [line for line in run("plugins", "list").output.splitlines() if "disabled" not in line]
    assert [line.split() for line in lines] == [
        ["KIND", "NAME", "DISTRIBUTION", "VERSION", "STATUS"],
        ["tasks", "toy", "toy-plugin", "1.0", "ok"],
    ]
    rows = json.loads(run("plugins", "list", "--kind", "tasks", "--json").output)
    (toy,) = [row for row in rows if row["distribution"] == "toy-plugin"]
    assert (toy["kind"], toy["name"], toy["module"], toy["api"]) == ("tasks", "toy", "zz_toy_plugin", 1)


def test_list_tells_each_status(site, only, monkeypatch):
    site.install("a", entries={"modelry.tasks.v1": ["x", "y"]})
    site.install("b", entries={"modelry.tasks.v1": ["x", "y"]})
    site.install("new", entries={"modelry.tasks.v7": ["z"]})
    site.install("off", entries={"modelry.tasks.v1": ["o"]})
    only()
    monkeypatch.setenv("MODELRY_DISABLE_PLUGINS", "off")
    monkeypatch.setenv("MODELRY_PREFER", "tasks:y=b")
    rows = json.loads(run("plugins", "list", "--kind", "tasks", "--json").output)
    status = {(row["distribution"], row["name"]): row["status"] for row in rows}
    assert status["a", "x"] == status["b", "x"] == "ambiguous"
    assert (status["a", "y"], status["b", "y"]) == ("not preferred to b", "ok")
    assert status["new", "z"] == "incompatible (API v7)"
    assert status["off", "o"] == "disabled by MODELRY_DISABLE_PLUGINS"


def test_list_with_nothing_installed(monkeypatch):
    monkeypatch.setattr("modelry_registry.registry.scan", lambda: ((), ()))
    assert "pip install modelry-core" in run("plugins", "list").output
    assert json.loads(run("plugins", "list", "--json").output) == []


def test_output_that_cannot_be_written(monkeypatch):
    def full(*words, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("modelry_registry.cli.output.click.echo", full)
    done = run("plugins", "list", "--json")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit), "a line and no traceback"


def test_show(site, only):
    site.install("toy-plugin")
    site.install("bad", entries={"modelry.tasks.v1": ["bad"]}, source="1 / 0")
    only()
    for name in ("toy", "tasks:toy", "Toy_Plugin"):
        result = run("plugins", "show", name)
        assert result.exit_code == 0
        assert "tasks:toy" in result.output
        assert "zz_toy_plugin_real:Toy" in result.output
    (shown,) = json.loads(run("plugins", "show", "toy", "--json").output)
    assert (shown["status"], shown["heads"]) == ("ok", ["base"])
    (shown,) = json.loads(run("plugins", "show", "bad", "--json").output)
    assert shown["status"] == "broken"
    assert "ZeroDivisionError" in shown["error"]


@pytest.mark.parametrize("name", ["nobody", "tasks:nobody", "widgets:x", "../x", "tasks:../x", "x" * 9999])
def test_show_what_is_not_there(name):
    result = run("plugins", "show", name)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert len(result.output) < 600


def test_show_what_is_known_and_not_installed(monkeypatch):
    monkeypatch.setattr("modelry_registry.known.known_plugins", lambda: {"tasks": {"sing": "sing-plugin"}})
    for name in ("sing", "tasks:sing"):
        assert "pip install sing-plugin" in run("plugins", "show", name).output


def test_which(site, only, tmp_path):
    site.install("bad", entries={"modelry.models.v1": ["bad"]}, source="1 / 0")
    only()
    (tmp_path / "config.json").write_text('{"model_type": "bad"}')
    result = run("plugins", "which", str(tmp_path))
    assert result.exit_code == 1
    assert "model_type bad: broken" in result.output
    answer = json.loads(run("plugins", "which", str(tmp_path), "--json").output)
    assert answer["served"] is False
    assert answer["needs"][0]["distribution"] == "bad"
    assert run("plugins", "which", str(tmp_path / "none")).output.startswith("Error: ")


def test_which_gives_one_install_line(monkeypatch, tmp_path):
    known = {"models": {"m": "m-plugin"}, "quantizers": {"q": "q-plugin"}}
    monkeypatch.setattr("modelry_registry.known.known_plugins", lambda: known)
    (tmp_path / "config.json").write_text('{"model_type": "m", "quantization_config": {"quant_method": "q"}}')
    assert "Run: pip install m-plugin q-plugin\n" in run("plugins", "which", str(tmp_path)).output


def test_doctor(site, only):
    site.install("toy-plugin")
    only()
    result = run("plugins", "doctor", "--timeout-seconds", "60")
    assert result.exit_code == 0, result.output
    assert "problems: 0" in result.output
    site.install("bad", entries={"modelry.tasks.v1": ["bad"]}, source="1 / 0")
    only()
    result = run("plugins", "doctor", "--json")
    assert result.exit_code == 1
    assert [one["code"] for one in json.loads(result.output) if one["problem"]] == ["broken"]
    assert "problem: broken: bad 1.0" in run("plugins", "doctor").output


def test_check_calls_the_kit(site, only, monkeypatch):
    site.install("toy-plugin")
    only()
    called = []
    monkeypatch.setattr("modelry_registry.cli.check.find_spec", lambda name: name)
    status = subprocess.CompletedProcess("", 3)
    monkeypatch.setattr("subprocess.run", lambda command, **_: called.append(command) or status)
    assert run("plugins", "check", "toy").exit_code == 3
    assert called[-1] == [sys.executable, "-P", "-m", "modelry_testing", "toy"]
    run("plugins", "check", "tasks:toy", "--json")
    assert called[-1][3:] == ["modelry_testing", "toy", "--kind", "tasks", "--json"]


def test_check_without_the_kit_or_the_plugin(site, only, monkeypatch):
    site.install("toy-plugin")
    only()
    monkeypatch.setattr("modelry_registry.cli.check.find_spec", lambda name: None)
    assert "pip install modelry-testing" in run("plugins", "check", "toy").output
    result = run("plugins", "check", "nobody-at-all")
    assert result.exit_code == 1
    assert "nobody-at-all" in result.output


def test_new(tmp_path, monkeypatch):
    def write(kind, name, folder):
        (folder / name).mkdir()
        (folder / name / "file").write_text(kind)
        return folder / name

    monkeypatch.setattr("modelry_registry.new.write_package", write)
    assert f"Wrote {tmp_path / 'a'}" in run("plugins", "new", "model", "a", "--folder", str(tmp_path)).output
    answer = json.loads(run("plugins", "new", "task", "b", "--folder", str(tmp_path), "--json").output)
    assert answer == {"folder": str(tmp_path / "b"), "files": ["file"]}


def test_new_refuses(tmp_path):
    result = run("plugins", "new", "model", "../x", "--folder", str(tmp_path))
    assert result.exit_code == 1
    assert "cannot name a package" in result.output
    assert run("plugins", "new", "widget", "x").exit_code == 2


@pytest.fixture
def commands(site):
    """A registry with a sound command, one that is none, and one whose plugin is broken."""
    (site.folder / "zz_commands.py").write_text(COMMANDS)
    site.install("bad", entries={"modelry.commands.v1": ["bad"]}, source="1 / 0")
    hello = Command(name="hello", command="zz_commands:hello", help="Greet.")
    thing = Command(name="thing", command="zz_commands:thing")
    registry = Registry(site.registry().candidates, {}).extended(hello, thing)
    with use_registry(registry):
        yield registry


def test_commands_of_plugins_run(commands):
    assert run("hello", "you").output == "imported\nhello you\n"


def test_help_imports_no_command(commands):
    result = run("--help")
    assert result.exit_code == 0
    assert "hello    Greet." in result.output
    assert "plugins  What is installed" in result.output
    assert "(BrokenPlugin: see `modelry plugins show commands:bad`)" in result.output
    assert "imported" not in result.output


def test_an_error_of_ours_is_one_line(commands):
    result = run("hello", "fail")
    assert result.exit_code == 1
    assert result.stderr == "Error: it failed on purpose\n"


def test_commands_that_cannot_run(commands, monkeypatch):
    assert "a int and not a click.Command" in run("thing").output
    assert "ZeroDivisionError" in run("bad").output
    assert "Did you mean plugins?" in run("plugin").output
    assert "'../x' is no command" in run("../x").output
    monkeypatch.setattr("modelry_registry.known.known_plugins", lambda: {"commands": {"serve": "modelry-serve"}})
    result = run("serve")
    assert result.exit_code == 1
    assert "pip install modelry-serve" in result.output


def test_completion_imports_no_command(commands, capsys):
    context = main.make_context("modelry", [], resilient_parsing=True)
    assert [item.value for item in main.shell_complete(context, "h")] == ["hello"]
    assert "imported" not in capsys.readouterr().out


def test_version():
    assert run("--version").output.startswith("modelry-registry 0.")


def test_malformed_variables_are_one_line(monkeypatch):
    monkeypatch.setenv("MODELRY_PREFER", "nonsense")
    result = run("plugins", "list")
    assert result.exit_code == 1
    assert "MODELRY_PREFER" in result.output


def test_strict_mode_does_not_stop_the_commands_that_explain(site, monkeypatch):
    site.install("bad", source="1 / 0")
    monkeypatch.setenv("MODELRY_STRICT_PLUGINS", "1")
    assert run("plugins", "list").exit_code == 0


def test_the_installed_program():
    code = "import sys; sys.argv[0] = 'modelry'; from modelry_registry.cli import main; main()"
    command = [sys.executable, "-c", code, "plugins", "list", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert isinstance(json.loads(result.stdout), list)
