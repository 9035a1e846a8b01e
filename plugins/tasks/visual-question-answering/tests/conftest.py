"""A tiny model that sees and writes, and pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelry import pipeline
from modelry_testing.toys.pictures import picture
from modelry_testing.toys.seeing_models import save_seeing_model


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the model and its preprocessors."""
    return save_seeing_model(tmp_path_factory.mktemp("seeing"))


@pytest.fixture(scope="session")
def ask(folder: Path) -> Any:
    """Greedy, six new tokens, whatever they are."""
    length: dict[str, Any] = {"max_new_tokens": 6, "min_new_tokens": 6}
    return pipeline("visual-question-answering", model=folder, device="cpu", do_sample=False, **length)


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    return picture(20, 30)
