"""Pictures like photographs, made here: smooth areas, edges and noise, always the same."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image


def photograph(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: gradients, a disc, stripes and a little noise."""
    chance = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    base = np.stack([x / width, y / height, (x + y) / (width + height)], axis=-1) * 200
    disc = (x - width / 2) ** 2 + (y - height / 3) ** 2 < (min(height, width) / 4) ** 2
    base[disc] = [220, 40, 60]
    base[:, :, 1] += 30 * np.sin(x / 5 + seed)
    return np.clip(base + chance.normal(0, 12, base.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def make_photograph() -> Callable[..., np.ndarray]:
    """`photograph`."""
    return photograph


@pytest.fixture(scope="session")
def photographs() -> list[Image.Image]:
    """Three, not square: landscape, portrait, small."""
    return [Image.fromarray(photograph(*extent, seed)) for seed, extent in enumerate([(130, 201), (177, 96), (40, 61)])]
