"""A tiny classifier of pictures for the tests of this task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelry import Pipeline, pipeline
from modelry_testing.toys.picture_models import save_picture_model

NAMES = {0: "cat", 1: "dog", 2: "owl"}


@pytest.fixture
def classifier(tmp_path: Path) -> Callable[..., Pipeline[Any]]:
    """A function: values of the configuration -> the pipeline of a model in `tmp_path`."""

    def make(**values: Any) -> Pipeline[Any]:
        save_picture_model(tmp_path, "image-classification", **{"id2label": NAMES, **values})
        return pipeline("image-classification", model=tmp_path, device="cpu")

    return make
