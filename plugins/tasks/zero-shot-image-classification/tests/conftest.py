"""Tiny models that compare images with texts, and their preprocessors, in folders."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelry import Pipeline, pipeline
from modelry_testing.toys.picture_models import save_picture_model
from modelry_testing.toys.word_pieces import pieces, write_word_pieces

SIZE = {"size": {"height": 16, "width": 16}}
LONGEST = 64
END = 3
"""[SEP], with which the tokenizer ends a text."""


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Pipeline[Any]]:
    """A function: family, defaults of the task -> the pipeline of its model, whose folder is remembered as `where`."""
    folders: dict[str, Path] = {}

    def made(family: str, **parameters: Any) -> Pipeline[Any]:
        if family not in folders:
            folders[family] = tmp_path_factory.mktemp(family)
            text = {"vocab_size": len(pieces()), "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": END}
            widths = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4}
            save_picture_model(
                folders[family],
                "zero-shot-image-classification",
                family=family,
                processor=SIZE,
                text_config={**widths, **text, "max_position_embeddings": LONGEST},
                vision_config={**widths, "image_size": 16, "patch_size": 8},
            )
            write_word_pieces(folders[family], longest=LONGEST)
        return pipeline("zero-shot-image-classification", model=folders[family], device="cpu", **parameters)

    return made
