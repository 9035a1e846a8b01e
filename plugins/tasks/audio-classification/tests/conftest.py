"""Tiny random models that hear, saved with their feature extractors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry import AutoConfig, AutoModelForAudioClassification
from modelry_registry import get_registry


@pytest.fixture(scope="session")
def saved() -> Callable[..., Path]:
    """Save a classifier of a family, with what its feature extractor says."""

    def save(folder: Path, model_type: str, *, extractor: dict[str, Any], **changes: Any) -> Path:
        pytest.importorskip(f"modelry_{model_type}")
        family: Any = get_registry().get("models", model_type)
        torch.manual_seed(0)
        config = AutoConfig.for_model(**{**family.tiny, "initializer_range": 0.3, "num_labels": 4, **changes})
        AutoModelForAudioClassification.from_config(config).save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(extractor))
        return folder

    return save
