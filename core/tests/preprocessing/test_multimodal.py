"""Text with images and videos: placeholders are counted and expanded, chats bring what their messages carry."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image

from modelry.errors import PreprocessorError
from modelry.preprocessing import ImageProcessor, Processor, Tokenizer, VideoProcessor

TEMPLATE = (
    "{% for message in messages %}{{ message.role | upper }}: {% if message.content is string %}{{ message.content }}"
    "{% else %}{% for part in message.content %}{% if part.type == 'text' %}{{ part.text }}"
    "{% else %}<{{ part.type }}>{% endif %}{% endfor %}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
SETTINGS: dict[str, Any] = {"size": {"shortest_edge": 28}, "crop_size": {"height": 28, "width": 28}}
RED, BLUE = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (30, 50), "blue")


class LlavaProcessor(Processor):
    """An image is a grid of patches, less the class token."""

    parts = {"tokenizer": Tokenizer, "image_processor": ImageProcessor}  # noqa: RUF012 - as every processor declares it
    placeholders = {"image": "<image>"}  # noqa: RUF012

    def expansions(self, kind: str, inputs: Mapping[str, Any]) -> Sequence[str]:
        """As many as patches."""
        height, width = inputs["pixel_values"][0].shape[-2:]
        count = (height // self.settings["patch_size"]) * (width // self.settings["patch_size"])
        return ["<image>" * count] * len(inputs["pixel_values"])


class FilmProcessor(Processor):
    """A token for each frame, one for each image."""

    parts = {"tokenizer": Tokenizer, "image_processor": ImageProcessor, "video_processor": VideoProcessor}  # noqa: RUF012
    placeholders = {"image": "<image>", "video": "<video>"}  # noqa: RUF012

    def expansions(self, kind: str, inputs: Mapping[str, Any]) -> Sequence[str]:
        """Frames count."""
        if kind == "image":
            return super().expansions(kind, inputs)
        return [" <video>" * len(one) for one in inputs["pixel_values_videos"]]


class CLIPProcessor(Processor):
    """Images beside the text."""

    parts = {"tokenizer": Tokenizer, "image_processor": ImageProcessor}  # noqa: RUF012


@pytest.fixture
def tokenizer(published: Callable[[str], Path]) -> Tokenizer:
    """Small, with the placeholders."""
    found = Tokenizer.from_pretrained(published("gpt2"), chat_template=TEMPLATE)
    found.add_tokens(["<image>", "<video>"], special_tokens=True)
    return found


@pytest.fixture
def llava(tokenizer: Tokenizer) -> LlavaProcessor:
    """Four tokens an image."""
    images = ImageProcessor(image_processor_type="CLIPImageProcessor", **SETTINGS)
    return LlavaProcessor(tokenizer=tokenizer, image_processor=images, patch_size=14, image_token="<image>")


@pytest.fixture
def films(tokenizer: Tokenizer) -> FilmProcessor:
    """Images and videos of 8 × 8."""
    return FilmProcessor(
        tokenizer=tokenizer, image_processor=ImageProcessor(size=8), video_processor=VideoProcessor(size=8)
    )


def test_equals_the_published_processor(llava: LlavaProcessor, tmp_path: Path) -> None:
    """What we save is loaded there, and prepares the same there."""
    llava.save_pretrained(tmp_path)
    oracle = transformers.LlavaProcessor(
        image_processor=transformers.CLIPImageProcessorPil.from_pretrained(tmp_path),
        tokenizer=transformers.AutoTokenizer.from_pretrained(tmp_path),
        patch_size=14,
    )
    texts = ["<image>the cat", "a dog <image> and <image>"]
    ours = llava(texts, [RED, BLUE, RED], padding=True, return_tensors="pt", return_mm_token_type_ids=True)
    theirs = oracle(
        text=texts, images=[RED, BLUE, RED], padding=True, return_tensors="pt", return_mm_token_type_ids=True
    )
    assert set(ours) == set(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-5)
    assert (ours["input_ids"] == llava.tokenizer.convert_tokens_to_ids("<image>")).sum() == 12
    again = LlavaProcessor.from_pretrained(tmp_path)
    assert again.settings == {"patch_size": 14, "image_token": "<image>"}
    assert again(texts[0], RED)["input_ids"] == llava(texts[0], RED)["input_ids"]
    whole = transformers.LlavaProcessor.from_pretrained(tmp_path, use_fast=True, backend="pil")
    assert whole.patch_size == 14


def test_more_or_fewer_images_than_placeholders(llava: LlavaProcessor) -> None:
    for text, images, message in [
        ("the cat", [RED], r"the text has 0 placeholders '<image>', and 1 image inputs were given"),
        ("<image> cat", None, "has 1 placeholders '<image>', and 0 image inputs"),
        ("<image> cat", [RED, BLUE], "has 1 placeholders '<image>', and 2 image inputs"),
        (["<image>", "<image>"], [RED], "has 2 placeholders '<image>', and 1 image inputs"),
        (["<image>", "<image><image>"], [[RED, RED], [RED]], "text 0 has 1 placeholders '<image>', and 2 image inputs"),
    ]:
        with pytest.raises(PreprocessorError, match=message):
            llava(text, images)
    with pytest.raises(PreprocessorError, match="text 0 needs 4 tokens '<image>', and 2 are left of them"):
        llava("<image>", RED, truncation=True, max_length=2)
    with pytest.raises(
        PreprocessorError, match="LlavaProcessor takes no video inputs; it has tokenizer, image_processor"
    ):
        llava("<video>", videos=[RED])
    with pytest.raises(PreprocessorError, match="give text=, images=, videos= or audio="):
        llava()


def test_options_go_where_they_are_known(llava: LlavaProcessor, films: FilmProcessor) -> None:
    small = llava("<image>", RED, crop_size={"height": 14, "width": 14}, return_tensors="np")
    assert small["pixel_values"].shape == (1, 3, 14, 14)
    assert small["input_ids"].shape == (1, 1)
    same = llava("<image>", RED, images_kwargs={"crop_size": 14}, text_kwargs={"return_tensors": "np"})
    assert same["input_ids"].tolist() == small["input_ids"].tolist()
    with pytest.raises(TypeError, match="crop_sice"):
        llava("<image>", RED, crop_sice=4)
    film = np.zeros((6, 9, 9, 3), np.uint8)
    found = films("<video> and <image>", RED, [film], num_frames=3, return_tensors="np", return_mm_token_type_ids=True)
    assert found["pixel_values_videos"].shape == (1, 3, 3, 8, 8)
    assert sorted(found["mm_token_type_ids"][0].tolist())[-4:] == [1, 2, 2, 2]
    assert set(films(images=RED)) == {"pixel_values"}
    assert set(films("words")) == {"input_ids", "attention_mask"}


def test_images_beside_the_text(tokenizer: Tokenizer) -> None:
    processor = CLIPProcessor(tokenizer=tokenizer, image_processor=ImageProcessor(size=8))
    found = processor(["a cat", "a dog <image>"], [RED], padding=True, return_tensors="np")
    assert found["input_ids"].shape[0] == 2
    assert found["pixel_values"].shape == (1, 3, 8, 8)


def test_an_expansion_that_holds_other_placeholders(films: FilmProcessor) -> None:
    """A user's text is split once: what stands for a video is not searched for images."""

    class Nested(FilmProcessor):
        def expansions(self, kind: str, inputs: Mapping[str, Any]) -> Sequence[str]:
            return ["<video><image>"] if kind == "video" else ["<image>"]

    nested = Nested(
        tokenizer=films.tokenizer, image_processor=films.image_processor, video_processor=films.video_processor
    )
    text = nested.decode(nested("<image> then <video>", RED, [[RED]])["input_ids"])
    assert text == "<image> then <video><image>"


def chat(**image: Any) -> list[dict[str, Any]]:
    """A question about one image."""
    return [
        {"role": "system", "content": "be kind"},
        {"role": "user", "content": [{"type": "image", **image}, {"type": "text", "text": "what is it?"}]},
    ]


INPUTS = {"tokenize": True, "return_dict": True}
"""Words for what the model reads and not the text, as published."""


def test_chats_bring_their_images(llava: LlavaProcessor, tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    RED.save(path)
    buffer = io.BytesIO()
    RED.save(buffer, "PNG")
    encoded = base64.b64encode(buffer.getvalue()).decode()
    prompt = "SYSTEM: be kind\nUSER: <image>what is it?\nASSISTANT:"
    assert llava.apply_chat_template(chat(image=RED), add_generation_prompt=True) == prompt
    expected = llava([prompt], RED, return_tensors="np")
    served = chat()
    served[1]["content"][0] = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
    chats = [chat(image=RED), chat(path=path), chat(url=str(path)), chat(base64=encoded), chat(image=np.asarray(RED))]
    for messages in [*chats, served]:
        before = repr(messages)
        found = llava.apply_chat_template(messages, add_generation_prompt=True, **INPUTS, return_tensors="np")
        assert set(found) == set(expected)
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])
        assert repr(messages) == before, "the user's messages are left alone"
    ids = llava.apply_chat_template(chat(image=RED), add_generation_prompt=True, tokenize=True)
    assert ids == expected["input_ids"].tolist()
    several = llava.apply_chat_template(
        [chat(image=RED), chat(image=BLUE)], padding=True, **INPUTS, return_tensors="pt"
    )
    assert several["pixel_values"].shape == (2, 3, 28, 28)
    plain = [{"role": "user", "content": "hello"}]
    assert "pixel_values" not in llava.apply_chat_template(plain, **INPUTS)


def test_chats_with_films(films: FilmProcessor) -> None:
    film = [RED.resize((8, 8))] * 5
    messages = [
        {"role": "user", "content": [{"type": "video", "video": film}, {"type": "text", "text": "and"}]},
        {"role": "user", "content": [{"type": "image", "image": BLUE}]},
    ]
    found = films.apply_chat_template(messages, num_frames=2, **INPUTS, return_tensors="np")
    assert found["pixel_values_videos"].shape == (1, 2, 3, 8, 8)
    assert found["pixel_values"].shape == (1, 3, 8, 8)
    three = {"num_frames": 3}
    both = films.apply_chat_template([messages] * 2, processor_kwargs=three, **INPUTS, return_tensors="np")
    assert both["pixel_values_videos"].shape == (2, 3, 3, 8, 8)


def test_chats_that_are_none(llava: LlavaProcessor) -> None:
    with pytest.raises(PreprocessorError, match="a part of type 'image' carries image and url; give one of them"):
        llava.apply_chat_template(chat(image=RED, url="http://x"))
    with pytest.raises(PreprocessorError, match="has 1 placeholders '<image>', and 0 image inputs"):
        llava(llava.apply_chat_template(chat()))
    silent = "{% for message in messages %}{{ message.role }}{% endfor %}"
    with pytest.raises(PreprocessorError, match="has 0 placeholders '<image>', and 1 image inputs"):
        llava.apply_chat_template(chat(image=RED), chat_template=silent, tokenize=True)
    with pytest.raises(PreprocessorError, match="return_assistant_tokens_mask is for chats of text"):
        llava.apply_chat_template(chat(image=RED), return_assistant_tokens_mask=True, tokenize=True)
    with pytest.raises(PreprocessorError, match=r"images\[0\]\[0\] is 'nowhere.png': no such file"):
        llava.apply_chat_template(chat(url="nowhere.png"), tokenize=True)
    for nothing in ([], "hello", [3]):
        with pytest.raises(PreprocessorError):
            llava.apply_chat_template(nothing)
