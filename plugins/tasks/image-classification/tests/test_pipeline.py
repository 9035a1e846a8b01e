"""Labels of images, held against transformers' pipeline on the same folder."""

import base64
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from modelry import Pipeline, pipeline
from modelry.errors import PipelineError
from modelry_testing.toys.picture_models import save_picture_model

Make = Callable[..., Pipeline[Any]]


@pytest.fixture
def photo() -> Image.Image:
    """Noise, not square."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8))


def close(found: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        assert found == {"label": expected["label"], "score": pytest.approx(expected["score"], abs=1e-5)}


@pytest.mark.parametrize(
    "values",
    [{}, {"problem_type": "multi_label_classification"}, {"problem_type": "regression"}, {"id2label": {0: "degree"}}],
)
def test_as_transformers_has_it(classifier: Make, tmp_path: Path, photo: Image.Image, values: dict[str, Any]) -> None:
    ours = classifier(image_size=16, processor={"size": {"height": 16, "width": 16}}, **values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs: Any = transformers.pipeline("image-classification", model=str(tmp_path), device="cpu")
        other = photo.transpose(Image.Transpose.ROTATE_90)
        for options in ({}, {"top_k": 1}, *({"function_to_apply": name} for name in ("sigmoid", "softmax", "none"))):
            for given in (photo, [photo, other]):
                close(ours(given, **options), theirs(given, **options))
        close(ours([photo, other, photo], batch_size=2), theirs([photo, other, photo]))


def test_everything_that_holds_an_image(classifier: Make, tmp_path: Path, photo: Image.Image) -> None:
    classify = classifier()
    expected = classify(photo)
    path = tmp_path / "photo.png"
    photo.save(path)
    held = io.BytesIO()
    photo.save(held, "PNG")
    text = base64.b64encode(held.getvalue()).decode()
    array = np.asarray(photo)
    for given in (
        path,
        str(path),
        held.getvalue(),
        text,
        array,
        torch.tensor(array).permute(2, 0, 1),
        {"image": photo},
    ):
        close(classify(given), expected)
    close(list(classify(iter([path, photo]))), [expected, expected])


def test_images_of_several_sizes_share_a_batch_without_being_padded(tmp_path: Path) -> None:
    save_picture_model(tmp_path, "image-classification", family="swin", processor={"do_resize": False})
    classify = pipeline("image-classification", model=tmp_path, device="cpu")
    random = np.random.default_rng(2)
    images = [random.integers(0, 256, (side, 24, 3), dtype=np.uint8) for side in (16, 32, 16)]
    close(classify(images, batch_size=3), [classify(image) for image in images])


def test_what_is_shown(classifier: Make, photo: Image.Image) -> None:
    classify = classifier()
    lines = classify.display(classify(photo, top_k=None)).splitlines()
    assert [line.split()[1] for line in lines] == [label["label"] for label in classify(photo, top_k=3)]
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"picture": 1}, "keys \\['picture'\\]"),
        (np.zeros((2, 8, 8, 3), dtype=np.uint8), "give a list"),
        (b"no image", "no image"),
        (np.zeros((0, 8, 3), dtype=np.uint8), "nothing to see"),
        ("http://127.0.0.1/photo.png", "127.0.0.1"),
    ],
)
def test_items_that_are_no_images(classifier: Make, photo: Image.Image, item: Any, message: str) -> None:
    classify = classifier()
    with pytest.raises(PipelineError, match=message):
        classify(item)
    found = classify([photo, item], on_error="return", batch_size=2)
    assert isinstance(found[0], list)
    assert isinstance(found[1], PipelineError)


def test_what_is_drawn(classifier: Make, photo: Image.Image) -> None:
    classify = classifier()
    drawn = classify.draw(photo, classify(photo))
    assert drawn.size[0] >= 180
    assert drawn.getpixel((0, 0)) == photo.getpixel((0, 0))


def test_the_task_follows_from_a_variant_of_its_head(tmp_path: Path, photo: Image.Image) -> None:
    """Distilled DeiTs are published with a head of their own, which classifies images as well."""
    save_picture_model(tmp_path, "image-classification-with-teacher", family="deit")
    classify = pipeline(model=tmp_path, device="cpu")
    assert classify.task == "image-classification"
    assert type(classify.model).__name__ == "DeiTForImageClassificationWithTeacher"
    assert classify(photo)
