"""The images, videos and sounds that messages of a chat carry, apart from the messages."""

from collections.abc import Callable, Mapping
from typing import Any

from modelry.errors import PreprocessorError

KINDS = ("image", "video", "audio")
_PLACES = ("url", "path", "base64")
"""Keys, beside the kind's own name, under which a part of a message carries its content."""


def media_of(conversation: Any) -> tuple[list[Any], dict[str, list[list[Any]]], bool]:
    """Messages ready for a template, and what they carry.

    Args:
        conversation: messages, or a list of such lists. A message's content is text, or a list of parts such as
            {"type": "text", "text": …}, {"type": "image", "image" (or "url", "path", "base64"): …}, or, as servers get
            it, {"type": "image_url", "image_url": {"url": …}}.

    Returns:
        Conversations; kind -> for each conversation what its messages carry, in order; whether there were several.

    Raises:
        PreprocessorError: a part carries more than one thing.
    """
    given = getattr(conversation, "messages", conversation)
    several = (
        bool(given)
        and isinstance(given, list | tuple)
        and (isinstance(given[0], list | tuple) or hasattr(given[0], "messages"))
    )
    chats = [getattr(one, "messages", one) for one in given] if several else [given]
    found: dict[str, list[list[Any]]] = {kind: [[] for _ in chats] for kind in KINDS}
    plain = []
    for number, chat in enumerate(chats):
        if not isinstance(chat, list | tuple):
            plain.append(chat)  # the template's room says what is wrong with it
            continue
        plain.append([_message(message, {kind: found[kind][number] for kind in KINDS}) for message in chat])
    return plain, found, several


def _message(message: Any, found: Mapping[str, list[Any]]) -> Any:
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list | tuple):
        return message
    return {**message, "content": [_part(part, found) for part in content]}


def _part(part: Any, found: Mapping[str, list[Any]]) -> Any:
    """The part without what it carries, which goes to `found`."""
    if not isinstance(part, Mapping):
        return part
    kind = str(part.get("type", "")).removesuffix("_url")
    if kind not in KINDS:
        return part
    carried = {key: part[key] for key in (kind, f"{kind}_url", *_PLACES) if part.get(key) is not None}
    if len(carried) > 1:
        raise PreprocessorError(f"a part of type {kind!r} carries {' and '.join(carried)}; give one of them")
    for value in carried.values():
        found[kind].append(value["url"] if isinstance(value, Mapping) and set(value) <= {"url", "detail"} else value)
    kept = {key: value for key, value in part.items() if key not in carried}
    return {**kept, "type": kind}


def with_media(chat: Any, replace: Callable[[str, Any], Any]) -> list[Any]:
    """Messages with other images, videos and sounds in them.

    Args:
        chat: messages; see `media_of`.
        replace: kind and what a part carries, or None -> what it carries then.

    Raises:
        PreprocessorError: a part carries more than one thing.
    """
    return [_replaced(message, replace) for message in chat]


def _replaced(message: Any, replace: Callable[[str, Any], Any]) -> Any:
    content = message.get("content") if isinstance(message, Mapping) else None
    if not isinstance(content, list | tuple):
        return message
    parts = []
    for part in content:
        found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
        kept = _part(part, found)
        kind = kept.get("type") if isinstance(kept, Mapping) else None
        if kind in KINDS:
            (carried,) = found[kind] or [None]
            kept = {**kept, kind: replace(kind, carried)}
        parts.append(kept)
    return {**message, "content": parts}
