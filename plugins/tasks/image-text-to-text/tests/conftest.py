"""A tiny model that sees and writes, and pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelry import pipeline
from modelry_testing.toys.pictures import encoded, picture
from modelry_testing.toys.seeing_models import save_seeing_model


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
