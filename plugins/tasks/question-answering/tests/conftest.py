"""A tiny model that answers, for the tests of this task."""

from pathlib import Path

import pytest

from modelry_testing.toys.encoder import save_encoder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_encoder(tmp_path, "question-answering")
