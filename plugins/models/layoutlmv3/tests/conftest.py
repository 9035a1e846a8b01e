"""A tiny LayoutLMv3 and its preprocessors for the tests of this family."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelry_layoutlmv3 import LayoutLMv3Config, LayoutLMv3Tokenizer
from modelry_layoutlmv3._plugin import TINY
from modelry_testing.toys.tokenizer_files import MERGES, byte_characters

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


@pytest.fixture
def config() -> Callable[..., LayoutLMv3Config]:
    def make(**changes: Any) -> LayoutLMv3Config:
        return LayoutLMv3Config(**{**TINY, **changes})

    return make


@pytest.fixture
def vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Token to id, special tokens first, and merges: as RoBERTa's files have them."""
    words = [*SPECIAL, *byte_characters(), *("".join(pair) for pair in MERGES)]
    return {word: number for number, word in enumerate(words)}, list(MERGES)


@pytest.fixture
def files(tmp_path: Path, vocabulary: tuple[dict[str, int], list[tuple[str, str]]]) -> Path:
    """vocab.json and merges.txt, as LayoutLMv3 base was published."""
    words, merges = vocabulary
    (tmp_path / "vocab.json").write_text(json.dumps(words), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (tmp_path / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = {"tokenizer_class": "LayoutLMv3Tokenizer", "model_max_length": 24}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return tmp_path


@pytest.fixture
def tokenizer(files: Path) -> LayoutLMv3Tokenizer:
    return LayoutLMv3Tokenizer.from_pretrained(files)
