"""Visual question answering keeps the contract of tasks."""

from pathlib import Path
from typing import ClassVar

from modelry_testing import TaskContract
from modelry_testing.toys.pictures import picture
from modelry_testing.toys.seeing_models import save_seeing_model


class TestVisualQuestionAnswering(TaskContract):
    name = "visual-question-answering"
    items: ClassVar = [
        {"image": picture(20, 30), "question": "what is this?"},
        {"image": picture(9, 40, 1), "question": "who?"},
        {"image": picture(30, 9, 2), "question": "where and when and why?"},
    ]
    parameters: ClassVar = {"max_new_tokens": 5, "do_sample": False}
    bad_item: ClassVar = {"image": "no-such-file.png", "question": "what?"}
    impossible: ClassVar = ({"top_k": 0}, {"max_new_tokens": -1}, {"timeout": "soon"})

    def model_folder(self, folder: Path) -> Path:
        return save_seeing_model(folder)
