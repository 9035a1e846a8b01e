"""Processors of models that compare texts with images: both in one call, as a folder, and what they do not take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelry import AutoModel, AutoProcessor
from modelry.errors import PreprocessorError
from modelry.preprocessing import Processor
from modelry_registry import get_registry
from modelry_testing.errors import ContractBroken
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.tokenizer_files import vocabulary, write_tokenizer

IMAGES = [np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8) for seed in (0, 1)]


def save_with_tokenizer(folder: Path, family: str) -> Path:
    """Write a tiny model of an installed family and its preprocessors into `folder`."""
    tiny: Any = get_registry().get("models", family).tiny
    text = {**tiny["text_config"], "vocab_size": len(vocabulary())}
    write_tokenizer(folder)
    return save_picture_model(folder, "base", family=family, text_config=text)


def check_one_call(folder: Path, processor_class: type[Processor]) -> None:
    """Texts and images go into the model; each alone gives its own inputs.

    Raises:
        ContractBroken: another processor is found, or other inputs.
    """
    processor: Any = AutoProcessor.from_pretrained(folder)
    if not isinstance(processor, processor_class):
        raise ContractBroken(f"the processor is a {type(processor).__name__}, not a {processor_class.__name__}")
    inputs = processor(text=["a cat", "the dog there"], images=IMAGES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        scores = AutoModel.from_pretrained(folder)(**inputs).logits_per_image
    names = (set(processor(text="a cat")), set(processor(images=IMAGES)))
    if scores.shape != (2, 2) or names != ({"input_ids", "attention_mask"}, {"pixel_values"}):
        raise ContractBroken(f"two texts and two images give scores {tuple(scores.shape)}; alone they give {names}")


def check_saving(folder: Path, other: Path) -> None:
    """What is saved into `other` is the same processor.

    Raises:
        ContractBroken: it makes other inputs.
    """
    processor: Any = AutoProcessor.from_pretrained(folder)
    processor.save_pretrained(other)
    again = type(processor).from_pretrained(other)
    if again(text="a cat")["input_ids"] != processor(text="a cat")["input_ids"]:
        raise ContractBroken(f"{type(processor).__name__} is another one after saving")


def check_refusals(folder: Path) -> None:
    """Nothing at all, and sound."""
    processor: Any = AutoProcessor.from_pretrained(folder)
    with pytest.raises(PreprocessorError, match="give text="):
        processor()
    with pytest.raises(PreprocessorError, match="takes no audio"):
        processor(text="a cat", audio=[0.0, 1.0])
