"""Items of tasks that put pictures into prompts, as what they ask."""

from typing import Any

import numpy as np
import pytest

from modelry.errors import PreprocessorError
from modelry.pipelines.seen_prompts import SeenPrompt, filled, question_about, read_seen_prompt

PHOTO = np.zeros((4, 5, 3), np.uint8)
FILM = np.zeros((2, 4, 5, 3), np.uint8)


def asked(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


class Templated:
    """What is asked of a processor."""

    tokenizer = None

    def __init__(self, chat_template: str | None, token: str | None) -> None:
        self.chat_template, self.token = chat_template, token

    def placeholder(self, kind: str) -> str | None:
        return self.token


def test_rows() -> None:
    assert read_seen_prompt("photo.png") == SeenPrompt(images=["photo.png"])
    for key in ("image", "images"):
        assert read_seen_prompt({key: "photo.png", "prompt": "x"}) == SeenPrompt(None, "x", ["photo.png"])
    assert read_seen_prompt({"text": "x", "images": []}) == SeenPrompt(None, "x")
    assert read_seen_prompt({"question": "x", "image": ["a.png", "b.png"]}).images == ["a.png", "b.png"]
    (video,) = read_seen_prompt({"text": "x", "videos": FILM}).videos
    assert video is FILM
    assert len(read_seen_prompt({"text": "x", "video": [PHOTO, PHOTO]}).videos) == 1
    assert read_seen_prompt({"text": "x", "videos": ["a.mp4", "b.mp4"]}).videos == ["a.mp4", "b.mp4"]


def test_an_item_is_read_as_it_was_written() -> None:
    for prompt in (SeenPrompt(asked({"type": "text", "text": "x"})), SeenPrompt(None, "x", ["a.png"], ["b.mp4"])):
        assert read_seen_prompt(prompt.as_item()) == prompt


def test_places_are_filled_in_order() -> None:
    chat = asked({"type": "image"}, {"type": "video"}, {"type": "image", "url": "own.png"}, {"type": "image"})
    prompt = read_seen_prompt({"messages": chat, "images": ["a.png", "b.png"], "videos": "c.mp4"})
    assert filled(prompt) == asked(
        {"type": "image", "image": "a.png"},
        {"type": "video", "video": "c.mp4"},
        {"type": "image", "image": "own.png"},
        {"type": "image", "image": "b.png"},
    )
    for images in ([], ["a.png"], ["a.png"] * 3):
        with pytest.raises(PreprocessorError, match=f"2 parts of type 'image' .* {len(images)} image inputs"):
            filled(SeenPrompt(chat, None, images, ["c.mp4"]))
    with pytest.raises(PreprocessorError, match=r"1 parts of type 'audio' .* 0 audio inputs"):
        filled(SeenPrompt(asked({"type": "audio"})))


def test_a_question_as_a_model_reads_it() -> None:
    about: Any = Templated("template", "<image>")
    assert question_about(about, "what", ["a.png"], ["b.mp4"]).chat == asked(
        {"type": "image", "image": "a.png"}, {"type": "video", "video": "b.mp4"}, {"type": "text", "text": "what"}
    )
    about = Templated(None, "<image>")
    assert question_about(about, "what", ["a.png"] * 2) == SeenPrompt(None, "<image><image>\nwhat", ["a.png"] * 2)
    assert question_about(about, "what", []).text == "what"
    assert question_about(Templated(None, None), "what", ["a.png"]).text == "what"  # type: ignore[arg-type]  # a toy


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"picture": PHOTO}, "a row needs some of images, image"),
        ({"image": PHOTO, "images": PHOTO}, "names of one thing"),
        ({"text": 7}, "'text' is a int"),
        ({"messages": asked(), "text": "x"}, "a chat and a text"),
        ({"videos": 7, "text": "x"}, "videos is a int"),
    ],
)
def test_what_asks_nothing(item: Any, says: str) -> None:
    with pytest.raises(PreprocessorError, match=says):
        read_seen_prompt(item)
