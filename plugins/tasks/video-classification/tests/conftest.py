"""A tiny classifier of videos, and films as files, for the tests of this task."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelry import AutoConfig, AutoModelForVideoClassification
from modelry_registry import get_registry
from modelry_testing.models.subject import told_apart
from modelry_testing.toys.pictures import encoded_film, film

PROCESSOR = {
    "image_processor_type": "VideoMAEImageProcessor",
    "size": {"shortest_edge": 16},
    "crop_size": {"height": 16, "width": 24},
}
"""As published ones are: a preprocessor_config.json."""


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    """A function: values of the configuration -> the folder of a random model with its processor."""

    def save(**values: Any) -> Path:
        family: Any = get_registry().get("models", "videomae")
        torch.manual_seed(0)
        names = {0: "run", 1: "swim", 2: "sleep"}
        config = AutoConfig.for_model(**{**family.tiny, "id2label": names, **values})
        told_apart(AutoModelForVideoClassification.from_config(config)).save_pretrained(tmp_path)
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
        return tmp_path

    return save


@pytest.fixture(scope="session")
def frames() -> np.ndarray:
    """(20, 32, 48, 3)."""
    return film(20, 32, 48)


@pytest.fixture(scope="session")
def data(frames: np.ndarray) -> bytes:
    """The same as a file."""
    pytest.importorskip("av")
    return encoded_film(frames)
