"""Two small tokenizers in files, read by us and by transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer as PublishedTokenizer

from modelry import AutoTokenizer
from modelry_testing.toys.tokenizer_files import write_tokenizer
from modelry_testing.toys.word_pieces import write_word_pieces

TEXTS = ("The inn by the sea.", "Rain!", "Then came tins and roofs: who is where?")


@pytest.fixture(scope="package")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """BERT's kind: ours and theirs."""
    return _both(tmp_path_factory.mktemp("pieces"), write_word_pieces)


@pytest.fixture(scope="package")
def letters(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """GPT-2's kind: ours and theirs."""
    return _both(tmp_path_factory.mktemp("letters"), write_tokenizer)


@pytest.fixture
def texts() -> tuple[str, ...]:
    """Texts of different lengths."""
    return TEXTS


def _both(folder: Path, write: Callable[[Path], None]) -> tuple[Any, Any]:
    write(folder)
    return AutoTokenizer.from_pretrained(folder), PublishedTokenizer.from_pretrained(folder)
