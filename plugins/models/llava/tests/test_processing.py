"""Texts with images, prepared and answered: as many tokens as an image has parts, chats, and what is refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modelry import AutoModelForImageTextToText, AutoProcessor
from modelry.errors import PreprocessorError
from modelry_llava import LlavaProcessor
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.tokenizer_files import vocabulary, write_tokenizer

IMAGE = len(vocabulary())
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}{% endfor %}\n{% endfor %}"
)


def photo(seed: int = 0) -> Image.Image:
    """Noise, not square."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 20, 3), dtype=np.uint8))


@pytest.fixture
def folder(values: dict[str, Any], tmp_path: Path) -> Path:
    """A model and its preprocessors; images have two parts."""
    text = {**values["text_config"], "vocab_size": IMAGE + 1}
    size = {"size": {"height": 8, "width": 16}}
    save_picture_model(
        tmp_path, "image-text-to-text", family="llava", processor=size, text_config=text, image_token_index=IMAGE
    )
    write_tokenizer(tmp_path, more=("<image>",))
    settings = {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    (tmp_path / "processor_config.json").write_text(json.dumps({**settings, "chat_template": TEMPLATE}), "utf-8")
    return tmp_path


def test_each_image_is_as_many_tokens_as_it_has_parts(folder: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    assert isinstance(processor, LlavaProcessor)
    inputs = processor(
        text=["<image>a", "b<image>c<image>"], images=[[photo()], [photo(1), photo(2)]], padding=True,
        return_tensors="pt",
    )  # fmt: skip
    assert inputs["pixel_values"].shape == (3, 3, 8, 16)
    assert (inputs["input_ids"] == IMAGE).sum(-1).tolist() == [2, 4]


@pytest.mark.parametrize(("strategy", "others", "count"), [("full", 0, 2), ("full", 1, 3), ("default", 1, 2)])
def test_tokens_follow_the_encoder(folder: Path, strategy: str, others: int, count: int) -> None:
    processor: Any = AutoProcessor.from_pretrained(
        folder, vision_feature_select_strategy=strategy, num_additional_image_tokens=others
    )
    assert processor(text="<image>", images=photo())["input_ids"].count(IMAGE) == count


def test_a_chat_is_answered(folder: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    content = [{"type": "image", "image": photo()}, {"type": "text", "text": "what is this"}]
    chat = [{"role": "user", "content": content}]
    inputs = processor.apply_chat_template(chat, tokenize=True, return_dict=True, return_tensors="pt")
    answer = model.generate(**inputs, max_new_tokens=5, min_new_tokens=5, do_sample=False)
    assert answer.shape == (1, inputs["input_ids"].shape[1] + 5)
    with torch.inference_mode():
        last = model(input_ids=answer[:, :-1], pixel_values=inputs["pixel_values"]).logits[:, -1]
    assert int(answer[0, -1]) == int(last.argmax())
    assert isinstance(processor.decode(answer[0]), str)


def test_saved_and_loaded(folder: Path, tmp_path: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    processor.save_pretrained(tmp_path / "again")
    (tmp_path / "again" / "config.json").write_bytes((folder / "config.json").read_bytes())
    again: Any = AutoProcessor.from_pretrained(tmp_path / "again")
    assert again.settings["patch_size"] == 8
    assert again(text="<image>", images=photo())["input_ids"] == processor(text="<image>", images=photo())["input_ids"]


@pytest.mark.parametrize(
    ("text", "images", "says"),
    [("<image><image>", 1, "image"), ("nothing", 1, "image"), ("<image>", 0, "image")],
)
def test_more_or_fewer_images_than_places(folder: Path, text: str, images: int, says: str) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    with pytest.raises(PreprocessorError, match=says):
        processor(text=text, images=[photo()] * images or None)


def test_nothing_says_how_large_a_patch_is(folder: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder, patch_size=0)
    with pytest.raises(PreprocessorError, match="patch_size 0"):
        processor(text="<image>", images=photo())
