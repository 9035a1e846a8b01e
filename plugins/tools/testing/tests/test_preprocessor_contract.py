"""The preprocessor contract on another role: a good image processor passes whole, each bad one fails its check."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelry_registry import get_registry
from modelry_testing import PreprocessorContract
from modelry_testing.outcomes import FAILED, SKIPPED
from modelry_testing.toys.family import TOY


class Scaling(PreprocessorContract):
    role = "image-processor"

    def write_files(self, folder: Path) -> None:
        (folder / "preprocessor_config.json").write_text(json.dumps({"rescale_factor": 0.25}))

    def items(self) -> list[np.ndarray]:
        return [np.full((size, 4, 3), 8 * size, dtype=np.uint8) for size in (2, 3, 5)]


SEEDS = {
    "PixelScaler": set(),
    "ByTheBatch": {"test_batch"},
    "Unfaithful": {"test_save_and_reload"},
    "Infinite": {"test_prepares"},
}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_image_processor(seed: str, outsider: Callable, outcomes: Callable) -> None:
    reference = f"{outsider('pixel_scalers')}:{seed}"
    family = dataclasses.replace(TOY, model_type="seeing-toy", preprocessors={"image-processor": reference})
    found = outcomes(Scaling, get_registry().extended(family), "seeing-toy")
    assert {one.check for one in found if one.status == FAILED} == SEEDS[seed], found
    assert len([one for one in found if one.status == SKIPPED]) <= 1 + 3 * bool(SEEDS[seed])
