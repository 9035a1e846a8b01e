"""Images for Qwen2-VL have the sizes and values that the published processor gives them."""

from typing import Any

import pytest
import torch
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from modelry_qwen2_vl import Qwen2VLImageProcessor
from modelry_testing.toys.pictures import picture

EXTENTS = ((20, 33), (90, 21), (200, 310))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"min_pixels": 100 * 100, "max_pixels": 150 * 150},
        {"patch_size": 8, "merge_size": 3, "temporal_patch_size": 1, "do_normalize": False},
        {"size": {"shortest_edge": 1000, "longest_edge": 30000}, "resample": 2, "do_rescale": False},
    ],
)
def test_values_and_grids(settings: dict[str, Any]) -> None:
    pictures = [picture(*extent, seed) for seed, extent in enumerate(EXTENTS)]
    ours = Qwen2VLImageProcessor(**settings)(pictures, return_tensors="pt")
    theirs = Qwen2VLImageProcessorPil(**settings)(pictures, return_tensors="pt")
    assert ours["image_grid_thw"].equal(theirs["image_grid_thw"])
    torch.testing.assert_close(ours["pixel_values"], theirs["pixel_values"], atol=1e-5, rtol=1e-5)
