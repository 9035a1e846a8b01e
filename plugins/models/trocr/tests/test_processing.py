"""TrOCR's processor gives what transformers' gives, and a vision-encoder-decoder finds it by its decoder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from modelry import AutoProcessor
from modelry.errors import PreprocessorError
from modelry_testing.toys.tokenizer_files import write_tokenizer
from modelry_trocr import TrOCRProcessor

LINES = [
    np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)
    for seed, size in enumerate([(40, 30, 3), (20, 60, 3)])
]
TEXTS = ["the inn", "the inn"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a published TrOCR, without its weights."""
    write_tokenizer(tmp_path)
    images = {"image_processor_type": "ViTImageProcessor", "size": {"height": 16, "width": 24}}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(images))
    parts = {"encoder": {"model_type": "vit"}, "decoder": {"model_type": "trocr"}}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vision-encoder-decoder", **parts}))
    return tmp_path


def test_as_transformers_has_it(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    ours = AutoProcessor.from_pretrained(folder)
    assert isinstance(ours, TrOCRProcessor)
    saved = tmp_path_factory.mktemp("saved")
    ours.save_pretrained(saved)
    images = transformers.ViTImageProcessorPil.from_pretrained(saved)
    reference: Any = transformers.TrOCRProcessor
    theirs = reference(images, transformers.AutoTokenizer.from_pretrained(saved))
    for given in ({"images": LINES}, {"text": TEXTS}, {"images": LINES, "text": TEXTS}):
        found, expected = ours(**given, return_tensors="pt"), theirs(**given, return_tensors="pt")
        assert set(found) == set(expected)
        for name, values in expected.items():
            torch.testing.assert_close(found[name], values, atol=1e-5, rtol=0)


def test_nothing_and_sound(folder: Path) -> None:
    processor = TrOCRProcessor.from_pretrained(folder)
    with pytest.raises(PreprocessorError, match="give text="):
        processor()
    with pytest.raises(PreprocessorError, match="takes no audio"):
        processor(LINES, audio=[0.0])
