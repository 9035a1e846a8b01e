"""Chats: what one looks like, and what it looks like with its answer."""

from collections.abc import Mapping
from typing import Any

from modelry.errors import PreprocessorError

Message = dict[str, Any]


def is_chat(value: Any) -> bool:
    """True for a list of messages, and for a mapping that holds one as its `messages`."""
    if isinstance(value, Mapping):
        return "messages" in value
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping) and "role" in value[0]


def read_chat(value: Any) -> list[Message]:
    """The messages of a chat.

    Raises:
        PreprocessorError: it has no messages, or one lacks its role or is no mapping; the message says which.
    """
    messages = value["messages"] if isinstance(value, Mapping) else value
    if not isinstance(messages, (list, tuple)) or not messages:
        raise PreprocessorError(f"a chat is a list of at least one message, found {messages!r}")
    for position, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise PreprocessorError(
                f"message {position} of the chat is {message!r}: it must be a mapping with a 'role' and a 'content'"
            )
    return [dict(message) for message in messages]


def with_answer(chat: list[Message], text: str, *, continues: bool) -> list[Message]:
    """The chat and the assistant's answer: a new message, or the rest of the last one."""
    if not continues:
        return [*chat, {"role": "assistant", "content": text}]
    *before, last = chat
    content = last.get("content")
    if isinstance(content, list | tuple):
        return [*before, {**last, "content": _extended(list(content), text)}]
    return [*before, {**last, "content": (content or "") + text}]


def spoken(message: Mapping[str, Any]) -> str:
    """The text of a message, whose content may be parts."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(str(part["text"]) for part in content if isinstance(part, Mapping) and "text" in part)


def in_parts(chat: list[Message]) -> list[Message]:
    """The chat with every text as a list of one part: templates of models that see read nothing else."""
    return [
        {**message, "content": [{"type": "text", "text": message["content"]}]}
        if isinstance(message.get("content"), str)
        else message
        for message in chat
    ]


def _extended(parts: list[Any], text: str) -> list[Any]:
    """The parts of a message with more text at their end."""
    last = parts[-1] if parts else None
    if isinstance(last, Mapping) and isinstance(last.get("text"), str):
        return [*parts[:-1], {**last, "text": last["text"] + text}]
    return [*parts, {"type": "text", "text": text}]
