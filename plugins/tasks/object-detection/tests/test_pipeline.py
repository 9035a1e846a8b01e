"""Objects on images, held against transformers' pipeline."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from click.testing import CliRunner
from PIL import Image

from modelry import Pipeline, pipeline
from modelry.cli.run import run
from modelry.errors import PipelineError
from modelry_testing.toys.picture_models import save_picture_model

PROCESSOR = {"image_processor_type": "DetrImageProcessor", "size": {"shortest_edge": 48, "longest_edge": 96}}
LABELS = {0: "cat", 1: "dog", 2: "bird"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_picture_model(tmp_path, "object-detection", family="detr", processor=PROCESSOR, id2label=LABELS)


@pytest.fixture
def detect(folder: Path) -> Pipeline[Any]:
    """A tiny DETR that knows three classes."""
    return pipeline("object-detection", model=folder, device="cpu")


@pytest.fixture
def photo() -> Image.Image:
    """Noise, not square."""
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 20, 3), dtype=np.uint8))


def test_as_transformers_has_it(detect: Pipeline[Any], folder: Path, photo: Image.Image) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        processor = transformers.DetrImageProcessorPil.from_pretrained(folder)
        theirs: Any = transformers.pipeline(
            "object-detection", model=str(folder), image_processor=processor, device="cpu"
        )
        for threshold in (0.0, 0.3, 0.5):
            found, expected = detect(photo, threshold=threshold), theirs(photo, threshold=threshold)
            assert [one["score"] for one in found] == pytest.approx([one["score"] for one in expected], abs=1e-5)
            assert [(one["label"], one["box"]) for one in found] == [(one["label"], one["box"]) for one in expected]
        assert len(detect(photo, threshold=0.0)) == 5


def test_batches_of_several_sizes(detect: Pipeline[Any], photo: Image.Image) -> None:
    images = [photo, photo.transpose(Image.Transpose.ROTATE_90), photo.resize((64, 64))]
    together = detect(images, batch_size=3, threshold=0.0)
    for found, image in zip(together, images, strict=True):
        alone = detect(image, threshold=0.0)
        assert [one["score"] for one in found] == pytest.approx([one["score"] for one in alone], abs=1e-5)
        assert [one["label"] for one in found] == [one["label"] for one in alone]


def test_an_item_that_is_no_image_is_named(detect: Pipeline[Any], photo: Image.Image) -> None:
    found = detect([photo, b"no image", photo], on_error="return", batch_size=3, threshold=0.0)
    assert [one["box"] for one in found[0]] == [one["box"] for one in found[2]]
    assert isinstance(found[1], PipelineError)
    assert "item 1" in str(found[1])
    with pytest.raises(PipelineError, match="item 1"):
        detect([photo, b"no image"])


def test_the_task_follows_from_the_model(detect: Pipeline[Any], folder: Path) -> None:
    assert pipeline(model=folder, device="cpu").task == "object-detection"


def test_what_is_shown(detect: Pipeline[Any]) -> None:
    box = {"xmin": 1, "ymin": 2, "xmax": 30, "ymax": 40}
    assert detect.display([{"score": 0.98765, "label": "cat", "box": box}]) == "0.9877  (1, 2) to (30, 40)  cat"
    assert detect.display([]) == ""
    picture = Image.new("RGB", (400, 300), "white")
    drawn = detect.draw(
        picture, [{"score": 0.9, "label": "cat", "box": {**box, "xmin": 100, "xmax": 300, "ymax": 200}}]
    )
    colours = [drawn.getpixel((x, 100)) for x in (50, 100, 200, 300)]
    assert colours[0] == colours[2] == (255, 255, 255)
    assert colours[1] == colours[3] != (255, 255, 255)
    assert picture.getpixel((100, 100)) == (255, 255, 255)


def test_show(folder: Path, tmp_path: Path, photo: Image.Image) -> None:
    given, out = tmp_path / "photo.png", tmp_path / "out.png"
    photo.resize((400, 600)).save(given)
    arguments = ["object-detection", "--model", str(folder), str(given), "--show", str(out), "--device", "cpu"]
    done = CliRunner().invoke(run, [*arguments, "--set", "threshold=0"])
    assert done.exit_code == 0, done.stderr
    assert " to (" in done.stdout
    with Image.open(out) as drawn:
        assert drawn.width == 400
        assert drawn.height > 600
