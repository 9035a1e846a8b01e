"""Speech recognition keeps the contract of tasks."""

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from modelry import AutoConfig, AutoModelForCTC
from modelry_registry import get_registry
from modelry_testing import TaskContract

RANDOM = np.random.default_rng(0)


class TestAutomaticSpeechRecognition(TaskContract):
    name = "automatic-speech-recognition"
    items: ClassVar = [RANDOM.normal(0, 0.1, length).astype(np.float32) for length in (1600, 700, 1200)]
    parameters: ClassVar = {"return_timestamps": "char"}
    bad_item = "no-such-file.wav"
    impossible: ClassVar = (
        {"return_timestamps": "sentence"},
        {"chunk_length_s": -1},
        {"output_format": "doc"},
    )

    def model_folder(self, folder: Path) -> Path:
        family: Any = get_registry().get("models", "wav2vec2")
        torch.manual_seed(0)
        config = AutoConfig.for_model(**{**family.tiny, "initializer_range": 0.4})
        AutoModelForCTC.from_config(config).save_pretrained(folder)
        letters = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
        (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(letters)}))
        (folder / "preprocessor_config.json").write_text("{}")
        return folder
