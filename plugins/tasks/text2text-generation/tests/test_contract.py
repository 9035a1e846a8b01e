"""Answers of texts to texts keep the contract of tasks."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from modelry_testing import TaskContract


class TestText2TextGeneration(TaskContract):
    name = "text2text-generation"
    parameters: ClassVar = {"max_new_tokens": 5, "num_return_sequences": 2, "num_beams": 2}
    bad_item = 7
    impossible: ClassVar = ({"max_new_tokens": -1}, {"return_tensors": True, "return_text": True})
    save: ClassVar[Any] = None

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _model(cls, save_t5: Any) -> None:
        cls.save = staticmethod(save_t5)

    def model_folder(self, folder: Path) -> Path:
        saved: Path = self.save(folder)
        return saved
