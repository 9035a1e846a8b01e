"""Filling masks keeps the contract of tasks."""

from pathlib import Path
from typing import ClassVar

from modelry_testing import TaskContract
from modelry_testing.toys.encoder import save_encoder


class TestFillMask(TaskContract):
    name = "fill-mask"
    items = ("the [MASK] came", "by the [MASK], then the [MASK] of a tin roof", "who is [MASK]?")
    parameters: ClassVar = {"top_k": 3}
    bad_item = "nothing to fill"
    impossible: ClassVar = (
        {"top_k": 0},
        {"targets": []},
        {"truncation": True, "tokenizer_kwargs": {"truncation": True}},
    )

    def model_folder(self, folder: Path) -> Path:
        return save_encoder(folder, "masked-lm")
