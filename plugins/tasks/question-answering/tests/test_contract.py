"""Question answering keeps the contract of tasks."""

from pathlib import Path
from typing import ClassVar

from modelry_testing import TaskContract
from modelry_testing.toys.encoder import save_encoder


class TestQuestionAnswering(TaskContract):
    name = "question-answering"
    parameters: ClassVar = {"top_k": 2}
    bad_item: ClassVar = {"question": "who?", "context": ""}
    impossible: ClassVar = ({"top_k": 0}, {"max_answer_len": 0}, {"doc_stride": -1}, {"align_to_words": "perhaps"})

    def model_folder(self, folder: Path) -> Path:
        return save_encoder(folder, "question-answering")
