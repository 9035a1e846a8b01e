"""Whisper keeps the model contract, and its preprocessors keep theirs."""

from pathlib import Path
from typing import ClassVar

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
