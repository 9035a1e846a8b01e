"""Zero-shot classification keeps the contract of tasks."""

from pathlib import Path
from typing import ClassVar

from modelry_testing import TaskContract
from modelry_testing.toys.encoder import save_encoder


class TestZeroShotClassification(TaskContract):
    name = "zero-shot-classification"
    bad_item = 7
    impossible: ClassVar = ({"candidate_labels": []}, {"hypothesis_template": "no label"}, {"multi_label": "perhaps"})

    def model_folder(self, folder: Path) -> Path:
        names = {0: "contradiction", 1: "neutral", 2: "entailment"}
        return save_encoder(folder, "sequence-classification", id2label=names)
