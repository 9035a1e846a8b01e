"""Segments of images, held against transformers' pipeline: SegFormer whole, masks by its last step alone."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from click.testing import CliRunner
from PIL import Image
from transformers.pipelines.image_segmentation import ImageSegmentationPipeline as Published

from modelry import Pipeline, pipeline
from modelry.cli.run import run
from modelry.errors import PipelineError
from modelry.pipelines import plain
from modelry.preprocessing.images.loading import load
from modelry_testing.pretending import some_gpu

Blocks = Callable[..., Pipeline[Any]]


def same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert [(one["label"], one["score"]) for one in found] == [
        (one["label"], pytest.approx(one["score"], abs=1e-5)) for one in expected
    ]
    for one, other in zip(found, expected, strict=True):
        assert one["mask"].mode == other["mask"].mode == "L"
        assert one["mask"] == other["mask"]


def test_as_transformers_has_it(segment: Pipeline[Any], tmp_path: Path, photo: Image.Image) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs: Any = transformers.pipeline("image-segmentation", model=str(tmp_path), device="cpu")
        for subtask in ({}, {"subtask": "semantic"}):
            expected = theirs(photo, **subtask)
            assert len(expected) > 1
            same(segment(photo, **subtask), expected)


@pytest.mark.parametrize("style", ["detr", "mask2former"])
@pytest.mark.parametrize("subtask", [None, "panoptic", "instance", "semantic"])
@pytest.mark.parametrize("thresholds", [{}, {"threshold": 0.999}, {"threshold": 0.2, "mask_threshold": 0.99}])
def test_masks_as_transformers_has_them(
    blocks: Blocks, photo: Image.Image, style: str, subtask: Any, thresholds: dict[str, float]
) -> None:
    ours = blocks(style)
    processor = {"detr": transformers.DetrImageProcessorPil, "mask2former": transformers.Mask2FormerImageProcessorPil}
    outputs = ours.model(torch.ones(1, 3, 16, 24))
    outputs["target_size"] = [(30, 20)]
    them: Any = SimpleNamespace(image_processor=processor[style](), model=ours.model)
    expected = Published.postprocess(them, outputs, subtask, **thresholds)
    same(ours(photo, subtask=subtask, **thresholds), expected)


def test_what_each_subtask_finds(blocks: Blocks, photo: Image.Image) -> None:
    found = blocks()
    assert [one["label"] for one in found(photo)] == ["sky", "cat", "cat"]
    sky, left, right = (np.asarray(one["mask"]) for one in found(photo, subtask="instance"))
    assert sky[:13].all()
    assert left[17:, :9].all()
    assert right[17:, 11:].all()
    assert [one["label"] for one in found(photo, threshold=0.97)] == ["sky", "cat"]
    classes = found(photo, subtask="semantic")
    assert [(one["label"], one["score"]) for one in classes] == [("sky", None), ("cat", None)]
    assert sum(np.asarray(one["mask"]).astype(int) for one in classes).min() == 255


def test_a_picture_without_segments(blocks: Blocks, photo: Image.Image) -> None:
    black = Image.new("RGB", (20, 30))
    for subtask in ("panoptic", "instance"):
        answers = blocks()([black, photo], subtask=subtask, batch_size=2)
        assert [len(one) for one in answers] == [0, 3]
    assert blocks().display([]) == ""


def test_every_image_in_its_own_size(segment: Pipeline[Any], blocks: Blocks, photo: Image.Image) -> None:
    turned = photo.transpose(Image.Transpose.ROTATE_90)
    for found in (segment, blocks(), blocks("mask2former")):
        answers = found([photo, turned], batch_size=2)
        assert [{one["mask"].size for one in answer} for answer in answers] == [{(20, 30)}, {(30, 20)}]


def test_images_that_are_not_resized_share_a_batch(segment: Pipeline[Any], tmp_path: Path) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "do_resize": False}))
    whole = pipeline("image-segmentation", model=tmp_path, device="cpu")
    random = np.random.default_rng(2)
    images = [random.integers(0, 256, (side, 24, 3), dtype=np.uint8) for side in (16, 32, 16)]
    on_a_cpu = list(map(whole, images))
    for found, alone in zip(whole(images, batch_size=3), on_a_cpu, strict=True):
        same(found, alone)
    with some_gpu():
        there = pipeline("image-segmentation", model=tmp_path, device="cuda:0")
        for found, alone in zip(there(images, batch_size=3), on_a_cpu, strict=True):
            same(found, alone)


def test_segments_of_a_model_that_has_none(segment: Pipeline[Any], photo: Image.Image) -> None:
    for subtask in ("panoptic", "instance"):
        with pytest.raises(PipelineError, match=f"{subtask}.*SegformerForSemanticSegmentation.*use subtask='semantic'"):
            segment(photo, subtask=subtask)


def test_an_item_that_is_no_image_is_named(segment: Pipeline[Any], photo: Image.Image) -> None:
    found = segment([photo, b"no image", photo], on_error="return", batch_size=3)
    same(found[0], found[2])
    assert isinstance(found[1], PipelineError)
    assert "item 1" in str(found[1])


def test_the_task_follows_from_the_model(segment: Pipeline[Any], tmp_path: Path) -> None:
    assert pipeline(model=tmp_path, device="cpu").task == "image-segmentation"


def test_what_is_shown(blocks: Blocks, photo: Image.Image) -> None:
    answer = blocks()(photo)
    lines = blocks().display(answer).splitlines()
    assert [line.split()[-1] for line in lines] == ["sky", "cat", "cat"]
    assert lines[0].startswith("0.99")
    assert "%" in lines[0]
    told = [load(one["mask"], "the mask") for one in plain(answer)]
    assert [np.asarray(one).tolist() for one in told] == [np.asarray(one["mask"]).tolist() for one in answer]


@pytest.mark.parametrize("name", ["out.png", "out.JPG", "deeper/out.webp"])
def test_show(segment: Pipeline[Any], tmp_path: Path, photo: Image.Image, name: str) -> None:
    given, out = tmp_path / "photo.png", tmp_path / name
    photo.resize((400, 600)).save(given)
    arguments = ["image-segmentation", "--model", str(tmp_path), str(given), "--show", str(out), "--device", "cpu"]
    done = CliRunner().invoke(run, arguments)
    assert done.exit_code == 0, done.stderr
    assert "class " in done.stdout
    with Image.open(out) as drawn:
        assert drawn.width == 400
        assert drawn.height > 600
    assert not list(out.parent.glob(".*.part"))


def test_show_leaves_the_old_picture_where_there_is_no_answer(segment: Pipeline[Any], tmp_path: Path) -> None:
    given, out = tmp_path / "text.png", tmp_path / "out.png"
    given.write_text("no picture")
    out.write_text("the old one")
    arguments = ["image-segmentation", "--model", str(tmp_path), str(given), "--show", str(out), "--device", "cpu"]
    done = CliRunner().invoke(run, arguments)
    assert done.exit_code == 1
    assert "text.png" in done.stderr
    assert out.read_text() == "the old one"
