"""Texts with images and videos, prepared and answered: sizes, frames, tokens, chats, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modelry import AutoModelForImageTextToText, AutoProcessor
from modelry.errors import PreprocessorError
from modelry_qwen2_vl import Qwen2VLImageProcessor, Qwen2VLProcessor, Qwen2VLVideoProcessor
from modelry_testing.toys.pictures import film, picture

SHOWN = "<|vision_start|><|image_pad|><|vision_end|>"
FILM = "<|vision_start|><|video_pad|><|vision_end|>"


def photo(height: int = 20, width: int = 33, seed: int = 0) -> Image.Image:
    """Noise, not square."""
    return Image.fromarray(picture(height, width, seed))


def test_frames_are_prepared_as_images() -> None:
    bounds = {"shortest_edge": 28 * 28, "longest_edge": 84 * 84}
    frames = film(3, 40, 61, 0)
    made = Qwen2VLVideoProcessor(size=bounds)(frames, return_tensors="np")
    assert made["video_grid_thw"].tolist() == [[2, 2, 4]]
    images = Qwen2VLImageProcessor(size=bounds, temporal_patch_size=1)(list(frames), return_tensors="np")
    of_frames = images["pixel_values"].reshape(3, 8, 3, 1, 14 * 14)
    pairs = np.stack([of_frames[[0, 1]], of_frames[[2, 2]]])  # the last one is repeated
    expected = np.moveaxis(pairs[:, :, :, :, 0], 1, 3).reshape(16, -1)
    np.testing.assert_allclose(made["pixel_values_videos"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 21),
        ({"fps": 5}, 10),
        ({"fps": 1}, 4),
        ({"fps": 1, "min_frames": 2}, 2),
        ({"fps": 9, "max_frames": 7}, 6),
        ({"num_frames": 5}, 4),
        ({"num_frames": 1}, 2),
        ({"fps": 5, "do_sample_frames": False}, 21),
    ],
)
def test_frames_that_are_taken(settings: dict[str, Any], count: int) -> None:
    processor = Qwen2VLVideoProcessor(patch_size=4, size={"shortest_edge": 64, "longest_edge": 256})
    made = processor(film(21, 16, 16, 0), video_metadata={"fps": 10}, return_metadata=True, **settings)
    assert made["video_metadata"][0].frames_indices == tuple(number * 21 // count for number in range(count))
    assert made["video_grid_thw"][0][0] == (count + 1) // 2


def test_pixels_of_all_frames_together() -> None:
    size = {"shortest_edge": 4 * 28 * 28, "longest_edge": 100 * 28 * 28}
    processor = Qwen2VLVideoProcessor(size=size, max_video_tokens=20)
    frames = film(7, 130, 70, 0)
    assert processor(frames)["video_grid_thw"] == [[4, 10, 4]]
    assert processor(frames, cap_pixels_per_frame=True)["video_grid_thw"] == [[4, 6, 2]]


def test_each_picture_is_as_many_tokens_as_it_has_parts(folder: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    assert isinstance(processor, Qwen2VLProcessor)
    inputs = processor(
        text=[f"a{SHOWN}b{FILM}{SHOWN}", f"c{SHOWN}"],
        images=[[photo(), photo(50, 21)], [photo(16, 16)]],
        videos=[film(5, 20, 30, 0)],
        padding=True,
        padding_side="left",
        return_tensors="pt",
    )
    parts = (inputs["image_grid_thw"].prod(-1) // 4).tolist()
    kinds = inputs["mm_token_type_ids"]
    assert (kinds == 1).sum(-1).tolist() == [sum(parts[:2]), parts[2]]
    assert (kinds == 2).sum(-1).tolist() == [int(inputs["video_grid_thw"].prod() // 4), 0]
    assert inputs["pixel_values"].shape == (4 * sum(parts), 96)


def test_a_chat_is_answered(folder: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    content = [
        {"type": "image", "image": photo()},
        {"type": "text", "text": "what is this"},
        {"type": "video", "video": film(9, 20, 30, 0)},
    ]
    chat = [{"role": "user", "content": content}]
    clock = {"fps": 2, "video_metadata": {"fps": 4}}
    inputs = processor.apply_chat_template(chat, tokenize=True, return_dict=True, return_tensors="pt", **clock)
    assert inputs["video_grid_thw"].tolist() == [[2, 4, 8]]
    answer = model.generate(**inputs, max_new_tokens=5, min_new_tokens=5, do_sample=False)
    with torch.inference_mode():
        last = model(**{**inputs, "input_ids": answer[:, :-1], "attention_mask": None}).logits[:, -1]
    assert int(answer[0, -1]) == int(last.argmax())
    assert isinstance(processor.decode(answer[0]), str)


def test_saved_and_loaded(folder: Path, tmp_path: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    again_at = tmp_path / "again"
    processor.save_pretrained(again_at)
    (again_at / "config.json").write_bytes((folder / "config.json").read_bytes())
    again: Any = AutoProcessor.from_pretrained(again_at)
    assert again.image_processor.size == again.video_processor.size == {"shortest_edge": 256, "longest_edge": 1024}
    given = {"text": f"{SHOWN}{FILM}", "images": photo(), "videos": film(4, 20, 30, 0), "return_tensors": "pt"}
    one, other = processor(**given), again(**given)
    assert all(one[name].equal(other[name]) for name in one)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"text": SHOWN * 2, "images": [photo()]}, "2 placeholders .* 1 image inputs"),
        ({"text": "nothing", "images": [photo()]}, "0 placeholders .* 1 image inputs"),
        ({"text": FILM}, "1 placeholders .* 0 video inputs"),
        ({"text": [SHOWN, SHOWN], "images": [[photo(), photo()], []]}, "text 0 has 1 placeholders"),
        ({"text": SHOWN, "images": Image.new("RGB", (2000, 4))}, "more than 200 times"),
        ({"text": SHOWN, "images": photo(17, 16), "do_resize": False}, r"images\[0\] has 17 × 16 .* 8"),
        ({"text": SHOWN, "images": photo(), "size": {"height": 8, "width": 8}}, "size has height, width"),
        ({"text": SHOWN, "images": photo(), "min_pixels": 2000}, "at least 2000 and at most 1024"),
        ({"text": FILM, "videos": film(4, 20, 30, 0), "fps": 2}, "without a clock"),
        ({"text": FILM, "videos": film(4, 20, 30, 0), "num_frames": 9}, "4 frames; 8 cannot be taken"),
    ],
)
def test_what_cannot_be_is_refused(folder: Path, given: dict[str, Any], says: str) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    with pytest.raises(PreprocessorError, match=says):
        processor(**given)
