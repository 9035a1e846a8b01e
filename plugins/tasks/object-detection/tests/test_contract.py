"""Object detection keeps the contract of tasks."""

from pathlib import Path
from typing import ClassVar

import numpy as np

from modelry_testing import TaskContract
from modelry_testing.toys.picture_models import save_picture_model

RANDOM = np.random.default_rng(0)


class TestObjectDetection(TaskContract):
    name = "object-detection"
    items: ClassVar = [RANDOM.integers(0, 256, (side, 20, 3), dtype=np.uint8) for side in (16, 33, 8)]
    bad_item = "no-such-file.png"
    impossible: ClassVar = ({"threshold": 1.5}, {"threshold": "high"})

    def model_folder(self, folder: Path) -> Path:
        return save_picture_model(folder, "object-detection", family="detr")
