"""A conversation with something that echoes: history, slash commands, ctrl-C."""

import json
import sys
from collections.abc import Generator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from modelry.cli.conversation import Conversation, converse
from modelry.errors import GenerationError


class Echo:
    """Says how many messages it was given, then the last one. "interrupt" is ctrl-C after a word, "fail" an error."""

    def __init__(self) -> None:
        self.seen: list[list[dict[str, str]]] = []
        self.closed = 0

    def stream(self, item: list[dict[str, str]], **parameters: Any) -> Generator[str, None, None]:
        self.seen.append([dict(message) for message in item])
        text = item[-1]["content"]
        try:
            if text == "fail":
                raise GenerationError("the prompt is\ntoo long")
            if text == "silence":
                raise KeyboardInterrupt
            yield f"{len(item)} "
            if text == "interrupt":
                raise KeyboardInterrupt
            yield text
        finally:
            self.closed += 1


def say(
    monkeypatch: pytest.MonkeyPatch, *lines: str, system: str | None = None, person: bool = False
) -> tuple[Echo, Conversation]:
    monkeypatch.setattr(sys, "stdin", StringIO("".join(f"{line}\n" for line in lines)))
    echo, conversation = Echo(), Conversation(system)
    converse(echo, conversation, {}, person=person)
    return echo, conversation


def test_messages_are_answered_and_remembered(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    echo, conversation = say(monkeypatch, "hello", "", "again", system="Be kind.")
    assert capsys.readouterr().out == "2 hello\n4 again\n"
    assert [message["role"] for message in conversation.messages] == [
        "system",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    assert echo.seen[1][2] == {"role": "assistant", "content": "2 hello"}


def test_clear_keeps_the_system_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    _, conversation = say(monkeypatch, "hello", "/clear", system="Be kind.")
    assert conversation.messages == [{"role": "system", "content": "Be kind."}]


def test_system_replaces_and_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    _, conversation = say(monkeypatch, "hello", "/system Be brief.", system="Be kind.")
    assert [message["content"] for message in conversation.messages] == ["Be brief.", "hello", "2 hello"]
    _, conversation = say(monkeypatch, "/system", system="Be kind.")
    assert conversation.messages == []


def test_quit_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    echo, _ = say(monkeypatch, "/quit", "hello")
    assert echo.seen == []


def test_help_names_every_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    say(monkeypatch, "/help", "/unheard-of")
    told = capsys.readouterr().err
    for name in ("/help", "/clear", "/system", "/save", "/quit", "ctrl-C"):
        assert name in told
    assert "/unheard-of is no command" in told


def test_a_message_may_begin_with_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    echo, _ = say(monkeypatch, "//etc is a folder")
    assert echo.seen[0][0]["content"] == "/etc is a folder"


def test_save(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chat.json"
    _, conversation = say(monkeypatch, "héllo", f"/save {path}", "/save", f"/save {tmp_path}/no/where.json")
    assert json.loads(path.read_text(encoding="utf-8")) == conversation.messages
    told = capsys.readouterr().err
    assert "2 messages written" in told
    assert "where to?" in told
    assert "was not written: No such file" in told


def test_ctrl_c_stops_the_answer_and_not_the_program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    echo, conversation = say(monkeypatch, "interrupt", "go on")
    assert capsys.readouterr().out == "1 3 go on\n"
    assert echo.closed == 2
    assert [message["content"] for message in conversation.messages] == ["interrupt", "1 ", "go on", "3 go on"]


def test_a_message_without_any_answer_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    _, conversation = say(monkeypatch, "silence", "hello")
    assert [message["content"] for message in conversation.messages] == ["hello", "1 hello"]


def test_ctrl_c_while_typing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = iter([KeyboardInterrupt(), "hello", EOFError()])

    def typed(prompt: str) -> str:
        line = next(lines)
        if isinstance(line, BaseException):
            raise line
        return line

    monkeypatch.setattr("builtins.input", typed)
    echo = Echo()
    converse(echo, Conversation(), {}, person=True)
    assert len(echo.seen) == 1


def test_an_error_ends_a_pipe_but_not_a_person(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(GenerationError):
        say(monkeypatch, "fail", "hello")
    echo, conversation = say(monkeypatch, "fail", "hello", person=True)
    assert "Error: the prompt is too long\n" in capsys.readouterr().err
    assert len(echo.seen) == 2
    assert [message["content"] for message in conversation.messages] == ["hello", "1 hello"]


def test_the_first_message_carries_the_images() -> None:
    conversation = Conversation("Be kind.", ["photo.png"])
    seen = {"type": "image", "image": "photo.png"}
    for _ in range(2):
        for text in ("what", "and now"):
            conversation.add("user", text)
            conversation.add("assistant", "this")
        first, second = (message["content"] for message in conversation.messages if message["role"] == "user")
        assert first == [seen, {"type": "text", "text": "what"}]
        assert second == "and now"
        conversation.clear()
