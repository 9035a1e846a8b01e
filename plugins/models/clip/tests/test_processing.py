"""Texts and images in one call, and the processor as a folder."""

from pathlib import Path

import pytest

from modelry_clip import CLIPProcessor
from modelry_testing.alike import texts_and_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model and its preprocessors."""
    return texts_and_images.save_with_tokenizer(tmp_path, "clip")


def test_texts_and_images_go_into_the_model(folder: Path) -> None:
    texts_and_images.check_one_call(folder, CLIPProcessor)


def test_saved_and_loaded(folder: Path, tmp_path: Path) -> None:
    texts_and_images.check_saving(folder, tmp_path / "again")


def test_nothing_and_what_it_does_not_take(folder: Path) -> None:
    texts_and_images.check_refusals(folder)
