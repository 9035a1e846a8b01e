"""Wav2Vec2 keeps the model contract, and its preprocessors keep theirs."""

import json
from pathlib import Path
from typing import Any, ClassVar

import torch

from modelry_testing import FeatureExtractorContract, ModelContract, PreprocessorContract

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]


class TestWav2Vec2(ModelContract):
    model_type = "wav2vec2"
    tolerance = 1e-4
    impossible: ClassVar = (
        {"hidden_size": 33},
        {"conv_dim": [4]},
        {"conv_kernel": [0, 3]},
        {"feat_extract_norm": "batch"},
        {"codevector_dim": 15},
    )
    without_gradient: ClassVar = ("masked_spec_embed",)  # reached where a frame happens to be hidden

    def labels(self, head: str, config: Any, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        rows, frames = len(inputs["input_values"]), 35
        match head:
            case "audio-frame-classification":
                return {
                    "labels": torch.eye(config.num_labels).long()[torch.arange(rows * frames).view(rows, frames) % 2]
                }
            case "pretraining":
                return {
                    "mask_time_indices": torch.arange(rows * frames).view(rows, frames) % 3 == 0,
                    "sampled_negative_indices": torch.randint(rows * frames, (rows, frames, 4)),
                }
        return super().labels(head, config, inputs)


class TestWav2Vec2FeatureExtractor(FeatureExtractorContract):
    model_type = "wav2vec2"
    values: ClassVar = {"do_normalize": True, "sampling_rate": 16000}


class TestWav2Vec2CTCTokenizer(PreprocessorContract):
    model_type = "wav2vec2"
    role = "tokenizer"

    def write_files(self, folder: Path) -> None:
        (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(LETTERS)}))

    def items(self) -> list[str]:
        return ["HELLO WORLD", "IT'S", "A LONGER LINE OF WORDS"]


class TestWav2Vec2Processor(PreprocessorContract):
    model_type = "wav2vec2"
    role = "processor"

    def write_files(self, folder: Path) -> None:
        TestWav2Vec2CTCTokenizer().write_files(folder)
        (folder / "preprocessor_config.json").write_text("{}")

    def items(self) -> list[Any]:
        return [[0.1 * (number % step) for number in range(300)] for step in (2, 3, 5)]
