"""What cannot be answered: pictures without a place, places without a picture, broken files, a model without eyes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelry import AutoTokenizer, pipeline
from modelry.errors import ConfigError, PipelineError, PreprocessorError
from modelry_image_text_to_text import ImageTextToTextPipeline
from modelry_testing.random_models import random_model
from modelry_testing.toys.pictures import encoded, film

PLACE = {"type": "image"}
TEXT = {"type": "text", "text": "what"}


def asked(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def test_more_or_fewer_pictures_than_places(see: Any, photo: np.ndarray) -> None:
    seen = {"type": "image", "image": photo}
    bad: list[tuple[Any, str]] = [
        ({"images": photo, "text": "what"}, r"0 placeholders '<image>', and 1 image inputs"),
        ({"images": [photo, photo], "text": "<image>what"}, r"1 placeholders '<image>', and 2 image inputs"),
        ({"text": "<image>what"}, r"1 placeholders '<image>', and 0 image inputs"),
        (asked(PLACE, TEXT), r"1 parts of type 'image' that carry nothing, and 0 image inputs"),
        ({"messages": asked(PLACE, TEXT), "images": [photo, photo]}, "1 parts .* and 2 image inputs"),
        ({"messages": asked(seen, TEXT), "images": photo}, "0 parts .* and 1 image inputs"),
        (asked({"type": "image", "image": photo, "url": "photo.png"}), "carries image and url"),
        ({"messages": asked(TEXT), "text": "what"}, "a chat and a text are given"),
        ({"image": photo, "images": photo, "text": "<image>"}, "'images' and 'image', which are names of one thing"),
        ({"picture": photo}, "a row needs some of images, image, videos, video, text, prompt, question, or messages"),
        ({"image": photo, "text": 7}, "'text' is a int"),
        (photo, "a text is needed beside the images"),
        ({"text": ""}, "the prompt is empty"),
        ([{"role": 3, "content": "x"}], "message 0 of the chat"),
        ({"videos": film(3, 9, 9), "text": "what"}, "takes no video inputs"),
        (asked({"type": "video", "video": film(3, 9, 9)}, TEXT), "takes no video inputs"),
    ]
    for item, says in bad:
        with pytest.raises(PipelineError, match=says):
            see([item])


def test_broken_pictures_are_named(see: Any, photo: np.ndarray, tmp_path: Path) -> None:
    whole = encoded(photo)
    words = tmp_path / "words.png"
    words.write_text("no picture")
    bad: list[tuple[Any, str]] = [
        (whole[: len(whole) // 2], "damaged or truncated"),
        (words, "is no image that can be read"),
        (b"", "is empty: 0 bytes"),
        ("no-such.png", "no such file"),
        (np.zeros((5, 6, 7), np.uint8), "no axis of 1, 3 or 4 channels"),
        (np.zeros((0, 4, 3), np.uint8), "there is nothing to see"),
        (np.full((4, 4, 3), np.nan, np.float32), "NaN"),
    ]
    good = asked({"type": "image", "image": photo}, TEXT)
    items = [good, *(asked({"type": "image", "image": broken}, TEXT) for broken, _ in bad), good]
    found = see(items, batch_size=4, on_error="return")
    assert found[0] == found[-1] == see(good)
    for number, (answer, (_, says)) in enumerate(zip(found[1:-1], bad, strict=True), start=1):
        assert isinstance(answer, PipelineError)
        assert f"item {number}" in str(answer)
        assert says in str(answer)


def test_a_model_that_sees_nothing(folder: Path, tmp_path: Path) -> None:
    blind = random_model("llama", vocab_size=300, hidden_size=16, intermediate_size=16, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=1)  # fmt: skip
    blind.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"runs image-text-to-text .*'llama' has .*causal-lm"):
        pipeline("image-text-to-text", model=tmp_path, device="cpu")
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    for given in ({"tokenizer": tokenizer}, {"processor": tokenizer}):
        with pytest.raises(PreprocessorError, match="needs a processor of text and images"):
            ImageTextToTextPipeline(blind, **given)
