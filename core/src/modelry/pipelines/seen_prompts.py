"""What an item of a task that reads pictures with text asks: a chat, or a text, and the images and videos of either.

An item is one of
    a chat                              messages whose parts are text, images, videos; or {"messages": …}, beside which
                                        `images` and `videos` fill parts that carry nothing, in order
    {"images": …, "text": …}            or "image", "video", "videos", "prompt", "question"
    one picture                         a path, a URL, bytes, base64 text, a PIL image, an array, for models that need
                                        no text
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelry.errors import PreprocessorError
from modelry.pipelines.chats import Message, is_chat, read_chat
from modelry.preprocessing.chat_media import with_media

if TYPE_CHECKING:
    from modelry.preprocessing import Processor

_KEYS = {"images": ("images", "image"), "videos": ("videos", "video"), "text": ("text", "prompt", "question")}


@dataclass(frozen=True)
class SeenPrompt:
    """One of `chat` and `text` is given, but for models that need neither."""

    chat: list[Message] | None = None
    text: str | None = None
    images: Sequence[Any] = ()
    videos: Sequence[Any] = ()

    def as_item(self) -> dict[str, Any]:
        """An item that is read as this."""
        row = {"messages": self.chat, "text": self.text, "images": list(self.images), "videos": list(self.videos)}
        return {name: value for name, value in row.items() if value}


def read_seen_prompt(item: Any) -> SeenPrompt:
    """An item as what it asks.

    Raises:
        PreprocessorError: a row has unknown keys, or says one thing twice; a chat is none.
    """
    if is_chat(item):
        beside = {key: value for key, value in item.items() if key != "messages"} if isinstance(item, Mapping) else {}
        row = _read_row(beside)
        if row.text is not None:
            raise PreprocessorError("a chat and a text are given: one of them is the prompt")
        return SeenPrompt(read_chat(item), None, row.images, row.videos)
    return _read_row(item if isinstance(item, Mapping) else {"images": item})


def _read_row(row: Mapping[str, Any]) -> SeenPrompt:
    from modelry.preprocessing.images.loading import each_image
    from modelry.preprocessing.videos.loading import each_video

    known = [key for keys in _KEYS.values() for key in keys]
    said = {name: [key for key in keys if row.get(key) is not None] for name, keys in _KEYS.items()}
    several = next((keys for keys in said.values() if len(keys) > 1), None)
    if several:
        raise PreprocessorError(f"a row has {' and '.join(map(repr, several))}, which are names of one thing: give one")
    if row and not any(said.values()):
        raise PreprocessorError(
            f"a row needs some of {', '.join(known)}, or messages; found the keys {sorted(map(str, row))}"
        )
    found = {name: row[keys[0]] if keys else None for name, keys in said.items()}
    text = found["text"]
    if text is not None and not isinstance(text, str):
        raise PreprocessorError(f"{said['text'][0]!r} is a {type(text).__name__}: a text is needed")
    images = () if _nothing(found["images"]) else [one for _, one in each_image(found["images"])]
    videos = () if _nothing(found["videos"]) else [one for _, one in each_video(found["videos"])]
    return SeenPrompt(None, text, images, videos)


def _nothing(value: Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and not value)


def filled(prompt: SeenPrompt) -> list[Message]:
    """The chat, its places for images and videos filled with those beside it.

    Raises:
        PreprocessorError: there are more or fewer of them than places.
    """
    assert prompt.chat is not None
    beside: dict[str, Iterator[Any]] = {"image": iter(prompt.images), "video": iter(prompt.videos)}
    given = {"image": len(prompt.images), "video": len(prompt.videos), "audio": 0}
    empty = dict.fromkeys(given, 0)

    def fill(kind: str, value: Any) -> Any:
        if value is not None:
            return value
        empty[kind] += 1
        return next(beside.get(kind, iter(())), None)

    chat = with_media(prompt.chat, fill)
    for kind, places in empty.items():
        if places != given[kind]:
            raise PreprocessorError(
                f"the chat has {places} parts of type {kind!r} that carry nothing, and {given[kind]} {kind} inputs "
                "were given beside it; each needs one"
            )
    return chat


def question_about(processor: "Processor", text: str, images: Sequence[Any], videos: Sequence[Any] = ()) -> SeenPrompt:
    """A question as a model reads it best: as a chat where it has a template, else behind its placeholders."""
    templates = (processor.chat_template, getattr(getattr(processor, "tokenizer", None), "chat_template", None))
    given = [("image", one) for one in images] + [("video", one) for one in videos]
    if any(templates):
        parts: list[dict[str, Any]] = [{"type": kind, kind: one} for kind, one in given]
        return SeenPrompt([{"role": "user", "content": [*parts, {"type": "text", "text": text}]}])
    places = [token for kind, _ in given if (token := processor.placeholder(kind)) is not None]
    return SeenPrompt(None, "\n".join(["".join(places), text]) if places else text, images, videos)
