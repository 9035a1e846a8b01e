"""Whisper keeps the model contract, and its preprocessors keep theirs."""

from pathlib import Path
from typing import Any, ClassVar

import torch

from modelry_testing import FeatureExtractorContract, ModelContract, PreprocessorContract
from modelry_testing.toys.tokenizer_files import write_tokenizer


class TestWhisper(ModelContract):
    model_type = "whisper"
    tolerance = 1e-4
    impossible: ClassVar = (
        {"encoder_attention_heads": 5},
        {"decoder_attention_heads": 0},
        {"scale_embedding": True},
        {"d_model": 33},
    )
    without_gradient: ClassVar = ("*encoder.embed_positions.weight", "*k_proj.bias")  # sinusoids, published as frozen

    def inputs(self, config: Any, rows: int, length: int) -> dict[str, torch.Tensor]:
        features = torch.randn(rows, config.num_mel_bins, 2 * config.max_source_positions)
        ids = torch.randint(4, config.vocab_size, (rows, length))
        return {"input_features": features, "input_ids": ids, "decoder_input_ids": ids}

    def labels(self, head: str, config: Any, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        if head == "audio-classification":
            return {"labels": torch.arange(len(inputs["input_features"])) % config.num_labels}
        ids = inputs.get("input_ids", inputs.get("decoder_input_ids"))
        return {} if head == "base" or ids is None else {"labels": ids.roll(-1, 1)}


class TestWhisperFeatureExtractor(FeatureExtractorContract):
    model_type = "whisper"
    values: ClassVar = {"chunk_length": 1, "feature_size": 20}


class TestWhisperTokenizer(PreprocessorContract):
    model_type = "whisper"
    role = "tokenizer"

    def write_files(self, folder: Path) -> None:
        write_tokenizer(folder)

    def items(self) -> list[str]:
        return ["the inn in the rain", "tin", "Grüße: 12"]
