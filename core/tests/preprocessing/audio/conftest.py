"""Noise in files of every kind."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """Random samples of standard deviation 0.1, the same every time."""

    def make(*shape: int) -> np.ndarray:
        return np.random.default_rng(1).normal(0.0, 0.1, shape).astype(np.float32)

    return make


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write a sound file; the suffix says the format."""

    def write(samples: np.ndarray, rate: int, suffix: str = "wav", **options: str) -> Path:
        path = tmp_path / f"sound.{suffix}"
        soundfile.write(path, samples, rate, **options)
        return path

    return write
