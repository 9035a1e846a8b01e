"""A mask for each thing in a map, as Mask2Former's published processor makes them."""

from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from modelry.errors import PreprocessorError
from modelry.preprocessing import ImageProcessor

SETTINGS: dict[str, Any] = {"size": {"shortest_edge": 40, "longest_edge": 66}, "size_divisor": 16}


@pytest.fixture
def maps(photographs: list[Image.Image]) -> list[np.ndarray]:
    """One for each photograph: 0 to 3."""
    return [np.asarray(one.convert("L")) // 64 for one in photographs]


def ours(family: str, **settings: Any) -> ImageProcessor:
    return ImageProcessor(image_processor_type=f"{family}ImageProcessor", **{**SETTINGS, **settings})


def assert_equal(found: Any, expected: Any, *, padding: bool) -> None:
    """Everything but what stands in the padding of masks: ignore_index is published there, which no mask means."""
    assert set(found) == set(expected)
    torch.testing.assert_close(found["pixel_values"], expected["pixel_values"], rtol=0, atol=1e-5)
    assert torch.equal(found["pixel_mask"], expected["pixel_mask"])
    for number, real in enumerate(found["pixel_mask"]):
        mine, theirs = found["mask_labels"][number], expected["mask_labels"][number]
        assert mine.dtype is theirs.dtype
        assert torch.equal(found["class_labels"][number], expected["class_labels"][number])
        assert torch.equal(mine * real, theirs * real)
        assert not (mine * (1 - real)).any()
    assert padding == bool((found["pixel_mask"] == 0).any())


@pytest.mark.parametrize("family", ["Mask2Former", "MaskFormer"])
@pytest.mark.parametrize(
    "settings",
    [
        {"ignore_index": 255},
        {"ignore_index": 2},
        {"ignore_index": 255, "do_reduce_labels": True},
        {"ignore_index": 0, "do_resize": False},
        {"ignore_index": 255, "size_divisor": 0},
    ],
)
def test_equals_the_published_processor(
    family: str, settings: dict[str, Any], photographs: list[Image.Image], maps: list[np.ndarray]
) -> None:
    oracle = getattr(transformers, f"{family}ImageProcessorPil")(**{**SETTINGS, **settings})
    expected = oracle(photographs, [one.copy() for one in maps], return_tensors="pt")
    found = ours(family, **settings)(photographs, segmentation_maps=maps, return_tensors="pt")
    assert_equal(found, expected, padding=True)


@pytest.mark.parametrize("reduce", [False, True])
def test_things_have_classes(reduce: bool, photographs: list[Image.Image], maps: list[np.ndarray]) -> None:
    settings = {"ignore_index": 255, "do_reduce_labels": reduce, "size": {"height": 32, "width": 48}}
    oracle = transformers.Mask2FormerImageProcessorPil(**{**SETTINGS, **settings})
    one = {0: 9, 1: 7, 2: 7, 3: 5, 256: 1}
    each = [one, {**one, 1: 4}, one]
    for classes in (one, each):
        named: dict[str, Any] = {"instance_id_to_semantic_id": classes, "return_tensors": "pt"}
        expected = oracle(photographs, [a.copy() for a in maps], **named)
        found = ours("Mask2Former", **settings)(photographs, segmentation_maps=maps, **named)
        assert_equal(found, expected, padding=False)


def test_without_tensors_there_are_arrays() -> None:
    image, plane = np.zeros((8, 8, 3), np.uint8), np.arange(64).reshape(8, 8) // 32 + 300
    found = ours("Mask2Former", do_resize=False)(image, segmentation_maps=plane)
    assert isinstance(found["mask_labels"][0], np.ndarray)
    assert (found["mask_labels"][0].sum((1, 2)).tolist(), found["class_labels"][0].tolist()) == ([32, 32], [300, 301])
    nothing = ours("Mask2Former", ignore_index=7)(image, segmentation_maps=np.full((8, 8), 7), return_tensors="np")
    assert nothing["mask_labels"][0].shape == (0, *nothing["pixel_values"].shape[2:])


def test_refusals(photographs: list[Image.Image], maps: list[np.ndarray]) -> None:
    processor = ours("Mask2Former")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"do_reduce_labels": True}, "do_reduce_labels needs an ignore_index"),
        ({"instance_id_to_semantic_id": {0: 1}}, "has no class for 1, in the map of image 0"),
        ({"instance_id_to_semantic_id": [{0: 1}]}, "1 instance_id_to_semantic_id were given for 3 images"),
        ({"instance_id_to_semantic_id": 3}, "is a int; a mapping is needed"),
        ({"segmentation_maps": maps[:2]}, "2 segmentation_maps were given for 3 images"),
    ]
    for named, message in cases:
        with pytest.raises(PreprocessorError, match=message):
            processor(photographs, **{"segmentation_maps": maps, **named})
    with pytest.raises(PreprocessorError, match="goes with segmentation_maps, in processors of models that find"):
        ImageProcessor(size=8)(photographs, segmentation_maps=maps, instance_id_to_semantic_id={0: 1})
    with pytest.raises(PreprocessorError, match="goes with segmentation_maps"):
        processor(photographs, instance_id_to_semantic_id={0: 1})
    with pytest.raises(PreprocessorError, match="a map has the size of its image"):
        processor(photographs[0], segmentation_maps=np.zeros((300, 9), int), do_resize=False)
