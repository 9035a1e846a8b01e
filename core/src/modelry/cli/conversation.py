"""The conversation itself: messages, answers as they come, slash commands. Ctrl-C stops an answer only."""

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import click

from modelry.cli.failures import one_line
from modelry.errors import ModelryError

with contextlib.suppress(ImportError):  # not on Windows
    import readline  # noqa: F401  input() then edits lines and remembers them


class Streams(Protocol):
    """What answers: a pipeline of text generation, or of images and text."""

    def stream(self, item: Any, **parameters: Any) -> Any: ...


class Conversation:
    """Messages in the ecosystem's form, the system prompt first. The first of the user carries the images."""

    def __init__(self, system: str | None = None, images: Iterable[str] = ()) -> None:
        self.messages: list[dict[str, Any]] = []
        self.images = tuple(images)
        self.set_system(system)

    def set_system(self, text: str | None) -> None:
        """Replace the system prompt; None removes it."""
        spoken = [message for message in self.messages if message["role"] != "system"]
        self.messages = ([{"role": "system", "content": text}] if text else []) + spoken

    def clear(self) -> None:
        """Forget everything but the system prompt."""
        self.messages = [message for message in self.messages if message["role"] == "system"]

    def add(self, role: str, text: str) -> None:
        first = role == "user" and all(message["role"] != "user" for message in self.messages)
        seen = [{"type": "image", "image": one} for one in self.images] if first else []
        self.messages.append({"role": role, "content": [*seen, {"type": "text", "text": text}] if seen else text})


def converse(pipe: Streams, conversation: Conversation, parameters: Mapping[str, Any], *, person: bool) -> None:
    """Read messages until the end of the input or /quit, and answer each.

    Args:
        person: someone sits at a terminal: show prompts, and go on after an error.
    """
    if person:
        click.echo(
            "Type a message. /help lists the commands, ctrl-C stops an answer, ctrl-D ends the program.", err=True
        )
    while True:
        try:
            line = input("you> " if person else "").strip()
        except EOFError:
            if person:
                click.echo()
            return
        except KeyboardInterrupt:
            click.echo("\n(ctrl-D or /quit ends the program)", err=True)
            continue
        if line.startswith("/") and not line.startswith("//"):
            if not obey(line, conversation):
                return
        elif line:
            try:
                answer(pipe, conversation, line.removeprefix("/") if line.startswith("//") else line, parameters)
            except ModelryError as error:
                if not person:
                    raise
                click.echo(click.style(f"Error: {one_line(error)}", fg="red"), err=True)


def answer(pipe: Streams, conversation: Conversation, text: str, parameters: Mapping[str, Any]) -> None:
    """Put a message to the model and print the answer as it comes.

    An answer that ctrl-C stops is remembered as far as it went. If there is none, the message is forgotten too.
    """
    conversation.add("user", text)
    parts: list[str] = []
    stream = pipe.stream(list(conversation.messages), **parameters)
    try:
        for part in stream:
            parts.append(part)
            click.echo(part, nl=False)
        click.echo()
    except KeyboardInterrupt:
        stream.close()
        click.echo("\n(stopped)", err=True)
    finally:
        if parts:
            conversation.add("assistant", "".join(parts))
        else:
            conversation.messages.pop()


def obey(line: str, conversation: Conversation) -> bool:
    """Carry out a slash command; False ends the conversation."""
    name, _, argument = line[1:].partition(" ")
    if name in ("quit", "exit"):
        return False
    if name not in COMMANDS:
        click.echo(f"/{name} is no command; /help lists them. A message that begins with / is written //…", err=True)
        return True
    COMMANDS[name][1](conversation, argument.strip())
    return True


def _help(conversation: Conversation, argument: str) -> None:
    for name, (explanation, _) in COMMANDS.items():
        click.echo(f"/{name:<14} {explanation}", err=True)
    click.echo("/quit           end the program (ctrl-D too)", err=True)
    click.echo("ctrl-C          stop the answer", err=True)


def _clear(conversation: Conversation, argument: str) -> None:
    conversation.clear()
    click.echo("(the conversation begins anew)", err=True)


def _system(conversation: Conversation, argument: str) -> None:
    conversation.set_system(argument or None)
    click.echo("(system prompt set)" if argument else "(no system prompt)", err=True)


def _save(conversation: Conversation, argument: str) -> None:
    if not argument:
        click.echo("where to? /save FILE", err=True)
        return
    path = Path(argument).expanduser()
    try:
        path.write_text(json.dumps(conversation.messages, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        click.echo(f"{path} was not written: {error.strerror}", err=True)
    else:
        click.echo(f"({len(conversation.messages)} messages written to {path})", err=True)


COMMANDS: dict[str, tuple[str, Callable[[Conversation, str], None]]] = {
    "help": ("show this", _help),
    "clear": ("forget the conversation, keep the system prompt", _clear),
    "system": ("TEXT: replace the system prompt; nothing removes it", _system),
    "save": ("FILE: write the messages as JSON", _save),
}
