"""A tiny classifier for the tests of this task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelry import Pipeline, pipeline
from modelry_testing.toys.encoder import save_encoder

NAMES = {0: "calm", 1: "rain", 2: "storm"}


@pytest.fixture
def classifier(tmp_path: Path) -> Callable[..., Pipeline[Any]]:
    """A function: values of the configuration -> the pipeline of a model in `tmp_path`."""

    def make(**values: Any) -> Pipeline[Any]:
        save_encoder(tmp_path, "sequence-classification", **{"id2label": NAMES, **values})
        return pipeline("text-classification", model=tmp_path, device="cpu")

    return make
