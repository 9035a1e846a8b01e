"""Features of images, held against transformers' pipeline on the same folder."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from modelry import pipeline
from modelry.errors import PipelineError
from modelry_testing.toys.picture_models import save_picture_model


@pytest.fixture
def photo() -> Image.Image:
    """Noise, not square."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8))


@pytest.mark.parametrize(
    "options", [{}, {"pool": True}, {"image_processor_kwargs": {"do_normalize": False, "resample": 0}}]
)
def test_as_transformers_has_it(tmp_path: Path, photo: Image.Image, options: dict[str, Any]) -> None:
    save_picture_model(tmp_path, "base", image_size=16, processor={"size": {"height": 16, "width": 16}})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs: Any = transformers.pipeline("image-feature-extraction", model=str(tmp_path), device="cpu")
        expected = torch.tensor(theirs(photo, **options))
    ours = pipeline("image-feature-extraction", model=tmp_path, device="cpu")
    torch.testing.assert_close(torch.tensor(ours(photo, **options)), expected, atol=1e-5, rtol=1e-5)
    for said in (True, "pt"):
        assert ours(photo, return_tensors=said, **options).shape == expected.shape


def test_arguments_that_the_image_processor_does_not_know(tmp_path: Path, photo: Image.Image) -> None:
    save_picture_model(tmp_path, "base", image_size=16, processor={"size": {"height": 16, "width": 16}})
    features = pipeline("image-feature-extraction", model=tmp_path, device="cpu")
    with pytest.raises(PipelineError, match="no parameter 'do_normalise'; did you mean do_normalize"):
        features(photo, image_processor_kwargs={"do_normalise": False})


def test_a_model_without_a_pooler_says_so(tmp_path: Path, photo: Image.Image) -> None:
    save_picture_model(tmp_path, "base", family="segformer")
    features = pipeline("image-feature-extraction", model=tmp_path, device="cpu")
    assert features(photo, return_tensors=True).shape[:2] == (1, 16)
    with pytest.raises(PipelineError, match="SegformerModel has no pooler"):
        features(photo, pool=True)
