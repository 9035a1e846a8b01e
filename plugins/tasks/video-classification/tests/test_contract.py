"""Video classification keeps the contract of tasks."""

import json
from pathlib import Path
from typing import Any, ClassVar

import torch

from modelry import AutoConfig, AutoModelForVideoClassification
from modelry_registry import get_registry
from modelry_testing import TaskContract
from modelry_testing.models.subject import told_apart
from modelry_testing.toys.pictures import film


class TestVideoClassification(TaskContract):
    name = "video-classification"
    items: ClassVar = [film(count, side, 40, seed=count) for count, side in ((4, 24), (7, 33), (12, 30))]
    parameters: ClassVar = {"top_k": 2}
    bad_item = "no-such-file.mp4"
    impossible: ClassVar = (
        {"top_k": 0},
        {"function_to_apply": "cube"},
        {"num_frames": 0},
        {"frame_sampling_rate": 0},
    )

    def model_folder(self, folder: Path) -> Path:
        family: Any = get_registry().get("models", "videomae")
        torch.manual_seed(0)
        config = AutoConfig.for_model(**{**family.tiny, "num_labels": 4})
        told_apart(AutoModelForVideoClassification.from_config(config)).save_pretrained(folder)
        values = {"size": {"height": 16, "width": 24}, "do_center_crop": False}
        processor = {"video_processor_type": "VideoMAEVideoProcessor", **values}
        (folder / "video_preprocessor_config.json").write_text(json.dumps(processor))
        return folder
