"""Reading items that are images, and batches of several sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from modelry.errors import PreprocessorError
from modelry.pipelines.images import PictureParameters, compute_by_size, loaded_image, read_image


def test_an_image_alone_or_in_a_row() -> None:
    assert read_image("photo.png") == "photo.png"
    assert read_image({"image": "photo.png", "label": 3}) == "photo.png"
    with pytest.raises(PreprocessorError, match="keys \\['label'\\]"):
        read_image({"label": 3})
    with pytest.raises(PreprocessorError, match="give a list of them"):
        read_image(torch.zeros(2, 3, 4, 4))


def test_images_of_one_size_are_run_together_and_come_back_in_order() -> None:
    calls = []

    def compute(features: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        pixels = torch.stack([one["pixel_values"] for one in features])
        calls.append(tuple(pixels.shape))
        return {"mean": pixels.mean((1, 2, 3))}

    pictures = [torch.full((1, side, 2), float(number)) for number, side in enumerate((2, 3, 2, 3))]
    found = compute_by_size([{"pixel_values": one} for one in pictures], compute)
    assert [float(one) for one in found["mean"]] == [0, 1, 2, 3]
    assert calls == [(2, 1, 2, 2), (2, 1, 3, 2)]
    assert isinstance(compute_by_size([{"pixel_values": pictures[0]}], compute)["mean"], torch.Tensor)


def test_an_image_is_loaded_with_its_size() -> None:
    array = np.zeros((5, 7, 3), dtype=np.uint8)
    for item in (array, Image.fromarray(array), {"image": array}):
        picture, size = loaded_image(item, PictureParameters())
        assert size == (5, 7)
        assert np.asarray(picture).shape == (5, 7, 3)
    turned = Image.fromarray(array)
    turned.getexif()[0x0112] = 6  # a camera held upright
    assert loaded_image(turned, PictureParameters())[1] == (7, 5)


def test_items_are_grouped_by_what_a_function_says() -> None:
    calls = []

    def compute(features: Any) -> dict[str, Any]:
        calls.append([one["name"] for one in features])
        return {"name": [one["name"].upper() for one in features]}

    found = compute_by_size([{"name": name} for name in ("a", "bb", "c")], compute, by=lambda one: len(one["name"]))
    assert found == {"name": ["A", "BB", "C"]}
    assert calls == [["a", "c"], ["bb"]]
