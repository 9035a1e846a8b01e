"""Document question answering keeps the contract of tasks, whether answers are found or written."""

import runpy
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from modelry_testing import TaskContract

MODELS = runpy.run_path(str(Path(__file__).parent / "conftest.py"))
RANDOM = np.random.default_rng(0)


def row(question: str, words: str, side: int) -> dict[str, Any]:
    boxes = [(word, [30 * n, 10, 30 * n + 20, 40]) for n, word in enumerate(words.split())]
    image = RANDOM.integers(0, 256, (side, 20, 3), dtype=np.uint8)
    return {"question": question, "image": image, "word_boxes": boxes}


class TestFinding(TaskContract):
    name = "document-question-answering"
    items: ClassVar = [
        row("where is the inn?", "the inn is by the sea", 30),
        row("who came?", "then the rain came and the tin roof is a sea of rain " * 2, 16),
        row("a roof?", "tin", 50),
    ]
    parameters: ClassVar = {"top_k": 2}
    bad_item: ClassVar = {"question": "who?", "word_boxes": []}
    impossible: ClassVar = ({"top_k": 0}, {"page": 0}, {"doc_stride": -1}, {"timeout": 0})

    def model_folder(self, folder: Path) -> Path:
        made: Path = MODELS["save_extracting"](folder)
        return made


class TestWriting(TaskContract):
    name = "document-question-answering"
    items: ClassVar = [{"question": one["question"], "image": one["image"]} for one in TestFinding.items]
    parameters: ClassVar = {"max_new_tokens": 4}
    bad_item: ClassVar = {"question": "who?", "image": "no-such-file.png"}
    impossible: ClassVar = ({"num_beams": -1}, {"max_question_len": 0})

    def model_folder(self, folder: Path) -> Path:
        made: Path = MODELS["save_writing"](folder, tags=False)
        return made
