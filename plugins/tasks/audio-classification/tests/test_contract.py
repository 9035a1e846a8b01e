"""Audio classification keeps the contract of tasks."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from modelry import AutoConfig, AutoModelForAudioClassification
from modelry_registry import get_registry
from modelry_testing import TaskContract

RANDOM = np.random.default_rng(0)


class TestAudioClassification(TaskContract):
    name = "audio-classification"
    items: ClassVar = [RANDOM.normal(0, 0.1, length).astype(np.float32) for length in (1600, 700, 1200)]
    parameters: ClassVar = {"top_k": 2}
    bad_item = "no-such-file.wav"
    impossible: ClassVar = ({"top_k": 0}, {"function_to_apply": "cube"})

    def model_folder(self, folder: Path) -> Path:
        family: Any = get_registry().get("models", "wav2vec2")
        torch.manual_seed(0)
        config = AutoConfig.for_model(**{**family.tiny, "initializer_range": 0.3, "num_labels": 4})
        AutoModelForAudioClassification.from_config(config).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps({"return_attention_mask": True}))
        return folder
