"""Summaries keep the contract of tasks."""

from pathlib import Path
from typing import ClassVar

from modelry_testing import TaskContract
from modelry_testing.toys.text_to_text import save_text_to_text


class TestSummarization(TaskContract):
    name = "summarization"
    parameters: ClassVar = {"max_new_tokens": 5, "num_return_sequences": 2, "num_beams": 2}
    bad_item = 7
    impossible: ClassVar = ({"max_new_tokens": -1}, {"return_tensors": True, "return_text": True})

    def model_folder(self, folder: Path) -> Path:
        return save_text_to_text(folder)
