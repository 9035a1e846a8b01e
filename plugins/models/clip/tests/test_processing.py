"""Texts and images in one call, and the processor as a folder."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelry import AutoModel, AutoProcessor
from modelry.errors import PreprocessorError
from modelry_clip import CLIPProcessor
from modelry_registry import get_registry
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.tokenizer_files import vocabulary, write_tokenizer

IMAGES = [np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8) for seed in (0, 1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model and its preprocessors."""
    tiny: Any = get_registry().get("models", "clip").tiny
    text = {**tiny["text_config"], "vocab_size": len(vocabulary())}
    write_tokenizer(tmp_path)
    return save_picture_model(tmp_path, "base", family="clip", text_config=text)


def test_texts_and_images_go_into_the_model(folder: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    assert isinstance(processor, CLIPProcessor)
    inputs = processor(text=["a cat", "the dog there"], images=IMAGES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        assert AutoModel.from_pretrained(folder)(**inputs).logits_per_image.shape == (2, 2)
    assert set(processor(text="a cat")) == {"input_ids", "attention_mask"}
    assert set(processor(images=IMAGES)) == {"pixel_values"}


def test_saved_and_loaded(folder: Path, tmp_path: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    processor.save_pretrained(tmp_path / "again")
    again = CLIPProcessor.from_pretrained(tmp_path / "again")
    assert again(text="a cat")["input_ids"] == processor(text="a cat")["input_ids"]


def test_nothing_and_what_it_does_not_take(folder: Path) -> None:
    processor: Any = AutoProcessor.from_pretrained(folder)
    with pytest.raises(PreprocessorError, match="give text="):
        processor()
    with pytest.raises(PreprocessorError, match="takes no audio"):
        processor(text="a cat", audio=[0.0, 1.0])
