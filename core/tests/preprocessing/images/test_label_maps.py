"""Maps of classes follow their images, as SegFormer's published processor has them."""

import io
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from modelry.errors import PreprocessorError
from modelry.preprocessing import ImageProcessor


@pytest.fixture
def maps(photographs: list[Image.Image]) -> list[np.ndarray]:
    """One for each photograph: 0 to 7, and 255."""
    found = [np.asarray(one.convert("L")) // 32 for one in photographs]
    for one in found:
        one[:3, :4] = 255
    return found


@pytest.mark.parametrize("reduce", [False, True])
def test_equals_the_published_processor(reduce: bool, photographs: list[Image.Image], maps: list[np.ndarray]) -> None:
    settings: dict[str, Any] = {"size": {"height": 40, "width": 33}, "do_reduce_labels": reduce}
    oracle = transformers.SegformerImageProcessorPil(**settings)
    ours = ImageProcessor(image_processor_type="SegformerImageProcessor", **settings)
    expected = oracle(photographs, [one.copy() for one in maps], return_tensors="pt")
    palettes = [Image.fromarray(one, mode=None).convert("P") for one in maps]
    for one, values in zip(palettes, maps, strict=True):
        one.putdata(values.flatten().tolist())
    buffer = io.BytesIO()
    Image.fromarray(maps[0]).save(buffer, "PNG")
    for given in (maps, [torch.from_numpy(one) for one in maps], palettes, [buffer.getvalue(), *maps[1:]]):
        found = ours(photographs, given, return_tensors="pt")
        assert torch.equal(found["labels"], expected["labels"])
    torch.testing.assert_close(found["pixel_values"], expected["pixel_values"], rtol=0, atol=1e-5)


def test_padding_is_ignored_and_crops_are_followed() -> None:
    images = [np.zeros((20, 30, 3), np.uint8), np.zeros((10, 10, 3), np.uint8)]
    maps = [np.full((20, 30), 300), np.full((10, 10), 2)]
    found = ImageProcessor(do_pad=True)(images, segmentation_maps=maps, return_tensors="np")
    assert (found["labels"][0] == 300).all(), "more classes than 8 bits hold"
    assert ((found["labels"][1] == 2) == found["pixel_mask"][1]).all()
    assert (found["labels"][1, 10:] == 255).all()
    numbers = np.arange(64).reshape(8, 8)
    middle = ImageProcessor(crop_size=4)(np.zeros((3, 8, 8), np.uint8), segmentation_maps=numbers)["labels"]
    np.testing.assert_array_equal(middle[0], numbers[2:6, 2:6])


def test_refusals(photographs: list[Image.Image]) -> None:
    processor = ImageProcessor(size=8)
    for maps, message in [
        ([np.zeros((4, 4), int)], "1 segmentation_maps were given for 3 images"),
        ([np.zeros((4, 4, 3), int)] * 3, r"segmentation_maps\[0\] has the shape \(4, 4, 3\) of int64; a map of labels"),
        ([np.zeros((4, 4))] * 3, "of float64; a map of labels has rows and columns of whole numbers"),
        (["nowhere.png"] * 3, r"segmentation_maps\[0\] is 'nowhere.png': no such file"),
        ([7] * 3, r"segmentation_maps is a list of 1 levels"),
    ]:
        with pytest.raises(PreprocessorError, match=message):
            processor(photographs, segmentation_maps=maps)
