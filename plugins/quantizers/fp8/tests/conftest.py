"""A tiny Llama in float32, in a folder."""

from pathlib import Path

import pytest

from modelry_testing.random_models import save_random


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_random(tmp_path / "float", "llama", tie_word_embeddings=True)
