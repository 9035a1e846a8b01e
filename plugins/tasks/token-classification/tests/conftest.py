"""A tiny tagger for the tests of this task."""

from pathlib import Path

import pytest

from modelry_testing.toys.encoder import save_encoder

NAMES = dict(enumerate(["O", "B-SEA", "I-SEA", "B-INN", "I-INN", "RAIN"]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_encoder(tmp_path, "token-classification", id2label=NAMES)
