"""Depth of images, held against transformers' pipeline on the same folder."""

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from modelry import Pipeline, pipeline
from modelry.errors import PipelineError
from modelry_depth_estimation.pipeline import as_picture
from modelry_registry import get_registry
from modelry_testing.toys.picture_models import save_picture_model


@pytest.fixture
def estimate(tmp_path: Path) -> Pipeline[Any]:
    """A tiny model, saved in `tmp_path`, for square images."""
    inside = copy.deepcopy(dict(get_registry().get("models", "depth_anything").tiny["backbone_config"]))
    size = {"size": {"height": 16, "width": 16}}
    values = {"backbone_config": {**inside, "image_size": 16}}
    save_picture_model(tmp_path, "depth-estimation", family="depth_anything", processor=size, **values)
    return pipeline("depth-estimation", model=tmp_path, device="cpu")


@pytest.fixture
def photo() -> Image.Image:
    """Noise, not square."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8))


def test_as_transformers_has_it(estimate: Pipeline[Any], tmp_path: Path, photo: Image.Image) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        images = transformers.AutoImageProcessor.from_pretrained(tmp_path)
        images.post_process_depth_estimation = transformers.DPTImageProcessor().post_process_depth_estimation
        theirs: Any = transformers.pipeline(
            "depth-estimation", model=str(tmp_path), image_processor=images, device="cpu"
        )
        expected = theirs(photo)
    found = estimate(photo)
    assert found["predicted_depth"].shape == (30, 20)
    torch.testing.assert_close(found["predicted_depth"], expected["predicted_depth"], atol=1e-4, rtol=1e-4)
    apart = np.asarray(found["depth"]).astype(int) - np.asarray(expected["depth"])
    assert np.abs(apart).max() <= 1
    assert found["depth"].mode == expected["depth"].mode


def test_every_image_in_its_own_size(estimate: Pipeline[Any], photo: Image.Image) -> None:
    turned = photo.transpose(Image.Transpose.ROTATE_90)
    answers = estimate([photo, turned], batch_size=2)
    assert [tuple(one["predicted_depth"].shape) for one in answers] == [(30, 20), (20, 30)]
    assert [one["depth"].size for one in answers] == [(20, 30), (30, 20)]
    assert estimate.display(answers[1]).startswith("30 x 20 pixels, depth from ")


def test_depth_that_is_everywhere_the_same_is_black() -> None:
    assert np.asarray(as_picture(torch.full((2, 3), 7.0))).tolist() == [[0] * 3] * 2
    assert np.asarray(as_picture(torch.tensor([[1.0, 3.0]]))).tolist() == [[0, 255]]


def test_an_item_that_is_no_image_is_named(estimate: Pipeline[Any], photo: Image.Image) -> None:
    found = estimate([photo, b"no image"], on_error="return", batch_size=2)
    assert found[0]["predicted_depth"].shape == (30, 20)
    assert isinstance(found[1], PipelineError)
    assert "item 1" in str(found[1])


def test_what_is_drawn(estimate: Pipeline[Any], photo: Image.Image) -> None:
    drawn = estimate.draw(photo, estimate(photo))
    shown = (photo.width * 9, photo.height * 9)  # enlarged to be looked at
    assert drawn.width == 2 * shown[0]
    assert drawn.height > shown[1]
    assert drawn.getpixel((0, 0)) == photo.getpixel((0, 0))
