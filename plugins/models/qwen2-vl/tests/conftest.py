"""A tiny Qwen2-VL, texts with pictures for it, and a folder with its processors."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry_qwen2_vl import Qwen2VLConfig, Qwen2VLForConditionalGeneration
from modelry_registry import get_registry
from modelry_testing.models.subject import told_apart
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.tokenizer_files import vocabulary, write_tokenizer

IMAGE, VIDEO = 90, 91
TOKENS = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% else %}<|vision_start|><|{{ part['type'] }}_pad|>"
    "<|vision_end|>{% endif %}{% endfor %}\n{% endfor %}"
)


@pytest.fixture
def values() -> dict[str, Any]:
    """config.json of the family's own tiny model."""
    return dict(get_registry().get("models", "qwen2_vl").tiny)


@pytest.fixture
def model(values: dict[str, Any]) -> Qwen2VLForConditionalGeneration:
    made = told_apart(Qwen2VLForConditionalGeneration(Qwen2VLConfig(**values)).eval())
    assert isinstance(made, Qwen2VLForConditionalGeneration)
    return made


@pytest.fixture
def inputs() -> dict[str, torch.Tensor]:
    """Two rows: two images with a film between them; and, padded on the left, one image."""
    generator = torch.Generator().manual_seed(3)
    first = [5, *[IMAGE] * 2, 6, *[VIDEO] * 4, 7, *[IMAGE] * 2, 8, 9]
    second = [0] * 5 + [5, *[IMAGE] * 3, 6, 7, 8, 10]
    ids = torch.tensor([first, second])
    return {
        "input_ids": ids,
        "attention_mask": (ids != 0).long(),
        "pixel_values": torch.randn(28, 96, generator=generator),
        "image_grid_thw": torch.tensor([[1, 2, 4], [1, 4, 2], [1, 2, 6]]),
        "pixel_values_videos": torch.randn(16, 96, generator=generator),
        "video_grid_thw": torch.tensor([[2, 2, 4]]),
        "mm_token_type_ids": (ids == IMAGE).long() + 2 * (ids == VIDEO).long(),
    }


@pytest.fixture
def folder(values: dict[str, Any], tmp_path: Path) -> Path:
    """A model and its preprocessors."""
    count = len(vocabulary())
    ids = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
    save_picture_model(
        tmp_path,
        "image-text-to-text",
        family="qwen2_vl",
        processor={
            "image_processor_type": "Qwen2VLImageProcessor",
            "patch_size": 4,
            "size": None,
            "min_pixels": 256,
            "max_pixels": 1024,
        },
        text_config={**values["text_config"], "vocab_size": count + len(TOKENS)},
        **{name: count + number for number, name in enumerate(ids)},
    )
    write_tokenizer(tmp_path)
    path = tmp_path / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    like = tokenizer["added_tokens"][0]
    tokenizer["added_tokens"] += [{**like, "id": count + n, "content": token} for n, token in enumerate(TOKENS)]
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    (tmp_path / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return tmp_path
