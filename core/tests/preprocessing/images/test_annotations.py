"""COCO's annotations, held against transformers' processor of DETR."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from modelry.errors import PreprocessorError
from modelry.preprocessing import ImageProcessor

SIZES = {"size": {"shortest_edge": 40, "longest_edge": 66}}


def thing(category: int, *bbox: float, **more: Any) -> dict[str, Any]:
    return {"category_id": category, "bbox": list(bbox), "area": bbox[2] * bbox[3], "iscrowd": 0, **more}


SHOWN = [
    {"image_id": 7, "annotations": [thing(3, 10, 20.5, 60, 40), thing(0, -5, 100, 300, 90), thing(1, 5, 5, 0, 4)]},
    {"image_id": 8, "annotations": [thing(2, 1, 2, 30, 50, keypoints=[1, 2, 1]), thing(4, 0, 0, 9, 9, iscrowd=1)]},
    {"image_id": 9, "annotations": []},
]


def both(**values: Any) -> tuple[ImageProcessor, Any]:
    """Ours and theirs."""
    theirs = transformers.DetrImageProcessorPil(**copy.deepcopy({**SIZES, **values}))
    return ImageProcessor(image_processor_type="DetrImageProcessor", **{**SIZES, **values}), theirs


def same(found: Any, expected: Any) -> None:
    assert len(found["labels"]) == len(expected["labels"])
    torch.testing.assert_close(found["pixel_mask"], expected["pixel_mask"])
    for one, other in zip(found["labels"], expected["labels"], strict=True):
        missing = set(other.keys()) - set(one.keys()) - {"keypoints"}
        assert not missing
        for name in set(other.keys()) - {"keypoints"}:
            assert one[name].shape == other[name].shape, name
            torch.testing.assert_close(one[name].double(), other[name].double(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "values", [{}, {"do_convert_annotations": False}, {"do_resize": False}, {"do_normalize": False}]
)
def test_detection_as_transformers_has_it(values: dict[str, Any], photographs: list[Image.Image]) -> None:
    ours, theirs = both(**values)
    shown = copy.deepcopy(SHOWN)
    expected = theirs(photographs, annotations=copy.deepcopy(shown), return_tensors="pt")
    found = ours(photographs, annotations=shown, return_tensors="pt")
    same(found, expected)
    assert shown == SHOWN
    assert [len(one["class_labels"]) for one in found["labels"]] == [2, 1, 0]


@pytest.fixture
def segments(tmp_path: Path, photographs: list[Image.Image]) -> list[dict[str, Any]]:
    """Annotations of three images, and their PNG files in `tmp_path`."""
    shown = []
    for number, picture in enumerate(photographs):
        ids = np.zeros((picture.height, picture.width), np.int64)
        ids[:20, 5:30], ids[20:33, :] = 70_000, 300 + number
        png = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
        Image.fromarray(png).save(tmp_path / f"{number}.png")
        info = [
            {"id": one, "category_id": one % 7, "iscrowd": 0, "area": int((ids == one).sum())}
            for one in (70_000, 300 + number)
        ]
        shown.append({"image_id": number, "file_name": f"{number}.png", "segments_info": info})
    return shown


@pytest.mark.parametrize("with_masks", [None, False])
def test_panoptic_as_transformers_has_it(
    with_masks: bool | None, photographs: list[Image.Image], segments: list[dict[str, Any]], tmp_path: Path
) -> None:
    ours, theirs = both(format="coco_panoptic")
    more: dict[str, Any] = {"masks_path": tmp_path, "return_segmentation_masks": with_masks, "return_tensors": "pt"}
    found = ours(photographs, annotations=segments, **more)
    same(found, theirs(photographs, annotations=segments, **more))
    assert ("masks" in found["labels"][0]) is (with_masks is None)


def test_masks_of_polygons(make_photograph: Callable[..., np.ndarray]) -> None:
    """A square's mask is where its box is, in the padded image too."""
    square = thing(1, 20, 10, 40, 60, segmentation=[[20, 10, 60, 10, 60, 70, 20, 70]])
    pictures = [make_photograph(80, 100), make_photograph(120, 60)]
    shown = [{"image_id": one, "annotations": [square]} for one in (1, 2)]
    ours, _ = both(do_resize=False)
    found = ours(pictures, annotations=shown, return_segmentation_masks=True, return_tensors="pt")
    for one in found["labels"]:
        (mask,) = one["masks"]
        assert mask.shape == (120, 100)
        assert mask[10:70, 20:60].all()
        assert mask.sum() == 40 * 60
        assert one["boxes"].tolist() == [[pytest.approx(value) for value in (0.4, 1 / 3, 0.4, 0.5)]]


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (SHOWN[:2], "2 annotations were given for 3 images"),
        ([*SHOWN[:2], {"annotations": []}], r"annotations\[2\] has no image_id"),
        (
            [*SHOWN[:2], {"image_id": 1, "annotations": [{"bbox": [1, 2, 3, 4]}]}],
            r"\[0\] has no category_id and no area",
        ),
        ([*SHOWN[:2], {"image_id": 1, "annotations": [thing(-1, 1, 2, 3, 4)]}], "the category_id -1"),
        ([*SHOWN[:2], {"image_id": 1, "annotations": [thing(1, 1, 2, float("nan"), 4)]}], "left, top, width, height"),
    ],
)
def test_annotations_that_are_none(shown: Any, said: str, photographs: list[Image.Image]) -> None:
    with pytest.raises(PreprocessorError, match=said):
        both()[0](photographs, annotations=shown)


def test_segments_that_are_none(photographs: list[Image.Image], segments: list[dict[str, Any]], tmp_path: Path) -> None:
    ours, _ = both(format="coco_panoptic")
    with pytest.raises(PreprocessorError, match="masks_path"):
        ours(photographs, annotations=segments)
    segments[1]["segments_info"][0]["id"] = 5
    with pytest.raises(PreprocessorError, match=r"annotations\[1\]\['segments_info'\]\[0\] has the id 5"):
        ours(photographs, annotations=segments, masks_path=tmp_path)
    segments[0]["file_name"] = "../0.png"
    with pytest.raises(PreprocessorError, match="not inside of"):
        ours(photographs, annotations=segments, masks_path=tmp_path)
    segments[0]["file_name"] = "1.png"
    with pytest.raises(PreprocessorError, match="has the shape"):
        ours(photographs, annotations=segments, masks_path=tmp_path)


def test_other_processors_take_none(photographs: list[Image.Image]) -> None:
    with pytest.raises(PreprocessorError, match="detectors such as DETR"):
        ImageProcessor(image_processor_type="ViTImageProcessor")(photographs, annotations=SHOWN)
