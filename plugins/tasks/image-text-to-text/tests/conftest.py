"""A tiny model that sees and writes, and pictures."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from modelry import pipeline
from modelry_registry import get_registry
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.pictures import encoded, picture
from modelry_testing.toys.seeing_models import save_seeing_model
from modelry_testing.toys.tokenizer_files import vocabulary, write_tokenizer


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the model and its preprocessors, chats among them."""
    return save_seeing_model(tmp_path_factory.mktemp("seeing"))


@pytest.fixture(scope="session")
def see(folder: Path) -> Any:
    """Greedy, six new tokens, whatever they are."""
    return pipeline(
        "image-text-to-text", model=folder, device="cpu", do_sample=False, max_new_tokens=6, min_new_tokens=6
    )


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    return picture(20, 30)


@pytest.fixture(scope="session")
def path(photo: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The photo as a file."""
    found = tmp_path_factory.mktemp("photos") / "photo.png"
    found.write_bytes(encoded(photo))
    return str(found)


@pytest.fixture(scope="session")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same of a model that takes videos too: pictures of any size, each as many parts as it has patches."""
    folder = tmp_path_factory.mktemp("watching")
    tokens = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
    keys = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    first, tiny = len(vocabulary()), cast(Any, get_registry().get("models", "qwen2_vl").tiny)
    sizes = {"patch_size": 4, "size": None, "min_pixels": 256, "max_pixels": 1024}
    save_picture_model(
        folder,
        "image-text-to-text",
        family="qwen2_vl",
        processor={"image_processor_type": "Qwen2VLImageProcessor", **sizes},
        text_config={**tiny["text_config"], "vocab_size": first + len(tokens)},
        **{key: first + number for number, key in enumerate(keys)},
    )
    write_tokenizer(folder, more=tokens)
    (folder / "chat_template.jinja").write_text(
        "{% for message in messages %}{% for part in message['content'] %}{% if part['type'] == 'text' %}"
        "{{ part['text'] }}{% else %}<|vision_start|><|{{ part['type'] }}_pad|><|vision_end|>{% endif %}"
        "{% endfor %}{% endfor %}"
    )
    length: dict[str, Any] = {"max_new_tokens": 6, "min_new_tokens": 6}
    return pipeline("image-text-to-text", model=folder, device="cpu", do_sample=False, **length)
