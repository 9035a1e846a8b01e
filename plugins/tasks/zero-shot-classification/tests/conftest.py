"""Tiny models of entailment for the tests of this task."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modelry_testing.toys.encoder import save_encoder


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """A function: names of the classes -> a folder."""

    def make(*names: str) -> Path:
        return save_encoder(tmp_path, "sequence-classification", id2label=dict(enumerate(names)))

    return make
