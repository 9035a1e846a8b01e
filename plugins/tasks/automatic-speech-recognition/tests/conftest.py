"""Tiny random models that write what they hear, saved with their preprocessors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
import torch
from tokenizers import AddedToken, decoders, models, pre_tokenizers

from modelry import AutoConfig, AutoModelForCTC, AutoModelForSpeechSeq2Seq
from modelry_registry import get_registry

LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ'"]
SPECIAL = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|de|>", "<|translate|>", "<|transcribe|>"]
SPECIAL += ["<|startofprev|>", "<|notimestamps|>"]


@pytest.fixture(scope="session")
def noise() -> Callable[[int], np.ndarray]:
    """Random samples."""
    return lambda length: np.random.default_rng(length).normal(0, 0.1, length).astype(np.float32)


@pytest.fixture(scope="session")
def frame_by_frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Wav2Vec2 that writes letters."""
    pytest.importorskip("modelry_wav2vec2")
    folder = tmp_path_factory.mktemp("ctc")
    family: Any = get_registry().get("models", "wav2vec2")
    torch.manual_seed(0)
    config = AutoConfig.for_model(**{**family.tiny, "initializer_range": 0.4})
    AutoModelForCTC.from_config(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(LETTERS)}))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "Wav2Vec2CTCTokenizer"}')
    (folder / "preprocessor_config.json").write_text('{"feature_extractor_type": "Wav2Vec2FeatureExtractor"}')
    return folder


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Whisper that hears a second and writes bytes."""
    pytest.importorskip("modelry_whisper")
    folder = tmp_path_factory.mktemp("whisper")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = tokenizers.Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    backend.save(str(folder / "tokenizer.json"))
    number = backend.token_to_id
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "WhisperTokenizer"}')
    (folder / "preprocessor_config.json").write_text(
        '{"feature_extractor_type": "WhisperFeatureExtractor", "chunk_length": 1, "feature_size": 16}'
    )
    family: Any = get_registry().get("models", "whisper")
    torch.manual_seed(0)
    changes = {
        "vocab_size": len(alphabet) + len(SPECIAL) + 51,
        "max_source_positions": 50,
        "init_std": 0.3,
        "decoder_start_token_id": number("<|startoftranscript|>"),
        **{f"{name}_token_id": number("<|endoftext|>") for name in ("eos", "pad", "bos")},
    }
    model = AutoModelForSpeechSeq2Seq.from_config(AutoConfig.for_model(**{**family.tiny, **changes}))
    told = {
        "no_timestamps_token_id": number("<|notimestamps|>"),
        "lang_to_id": {one: number(one) for one in ("<|en|>", "<|de|>")},
        "task_to_id": {"transcribe": number("<|transcribe|>"), "translate": number("<|translate|>")},
        "max_initial_timestamp_index": 10,
        "suppress_tokens": [number(one) for one in SPECIAL[1:]],
        "max_length": 24,
        "eos_token_id": number("<|endoftext|>"),
    }
    for key, value in told.items():
        setattr(model.generation_config, key, value)
    model.save_pretrained(folder)
    return folder
