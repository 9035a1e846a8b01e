"""Boxes, maps, segments and depth equal the published processors', on random outputs that hold every case."""

from collections import OrderedDict
from typing import Any

import pytest
import torch
import transformers
from transformers.modeling_outputs import DepthEstimatorOutput, SemanticSegmenterOutput
from transformers.models.detr.modeling_detr import DetrObjectDetectionOutput, DetrSegmentationOutput
from transformers.models.mask2former.modeling_mask2former import Mask2FormerForUniversalSegmentationOutput

from modelry.errors import PreprocessorError
from modelry.preprocessing import ImageProcessor
from modelry.preprocessing.images import segmentation

OURS = ImageProcessor()
SIZES = [(30, 41), (25, 17)]


def noise(*shape: int, scale: float = 3.0, seed: int = 0) -> torch.Tensor:
    """Normal, always the same."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def blobs() -> torch.Tensor:
    """Masks (2, 6, 12, 16): overlapping boxes with soft borders."""
    masks = noise(2, 6, 12, 16, scale=0.5) - 4
    for query, (top, left) in enumerate([(0, 0), (6, 0), (0, 8), (5, 7), (2, 3), (0, 0)]):
        masks[:, query, top : top + 6, left : left + 8] += 7 - query / 2
    return masks


@pytest.fixture
def detr() -> DetrSegmentationOutput:
    """Six queries, four classes and nothing; a second image without a sure query."""
    logits = noise(2, 6, 5, scale=4)
    logits[1] = noise(6, 5, scale=0.1)
    logits[0, :4, [1, 1, 3, 0]] += torch.eye(4) * 20
    return DetrSegmentationOutput(logits=logits, pred_masks=blobs(), pred_boxes=noise(2, 6, 4).sigmoid())


@pytest.fixture
def mask2former(detr: DetrSegmentationOutput) -> Mask2FormerForUniversalSegmentationOutput:
    """The same."""
    return Mask2FormerForUniversalSegmentationOutput(
        class_queries_logits=detr.logits, masks_queries_logits=detr.pred_masks
    )


def assert_same(found: Any, expected: Any) -> None:
    """Equal all the way down."""
    if isinstance(expected, dict | OrderedDict):
        for name in expected:
            assert_same(found[name], expected[name])
    elif isinstance(expected, list | tuple):
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert_same(mine, theirs)
    elif isinstance(expected, torch.Tensor):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    else:
        assert found == expected


@pytest.mark.parametrize("sizes", [None, SIZES, torch.tensor(SIZES)])
def test_boxes(sizes: Any, detr: DetrSegmentationOutput) -> None:
    oracle = transformers.DetrImageProcessorPil()
    outputs = DetrObjectDetectionOutput(logits=detr.logits, pred_boxes=detr.pred_boxes)
    expected = oracle.post_process_object_detection(outputs, threshold=0.3, target_sizes=sizes)
    assert len(expected[0]["scores"]) > 2
    assert_same(OURS.post_process_object_detection(outputs, threshold=0.3, target_sizes=sizes), expected)


@pytest.mark.parametrize("sizes", [None, SIZES])
@pytest.mark.parametrize("scores", [False, True])
def test_semantic(
    sizes: Any, scores: bool, detr: DetrSegmentationOutput, mask2former: Mask2FormerForUniversalSegmentationOutput
) -> None:
    pixels = SemanticSegmenterOutput(logits=noise(2, 5, 7, 9))
    for family, outputs in {"Segformer": pixels, "DPT": pixels, "Detr": detr, "Mask2Former": mask2former}.items():
        oracle = getattr(transformers, f"{family}ImageProcessorPil")()
        expected = oracle.post_process_semantic_segmentation(outputs, sizes, scores)
        found = OURS.post_process_semantic_segmentation(outputs, sizes, scores)
        if scores:
            assert_same([one.segmentation_scores for one in found], [one.segmentation_scores for one in expected])
            found, expected = [one.segmentation for one in found], [one.segmentation for one in expected]
        assert_same(found, expected)


def test_classes_of_large_images_are_compared_some_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = SemanticSegmenterOutput(logits=noise(2, 5, 7, 9))
    pixels.logits[:, 3] = pixels.logits[:, 1]  # of equals the first
    expected = OURS.post_process_semantic_segmentation(pixels, SIZES)
    for together in (1, 2):
        monkeypatch.setattr(segmentation, "NUMBERS_AT_ONCE", together * 30 * 41)
        assert_same(OURS.post_process_semantic_segmentation(pixels, SIZES), expected)
    assert 3 not in expected[0]


@pytest.mark.parametrize("sizes", [None, SIZES])
@pytest.mark.parametrize(
    "options", [{}, {"threshold": 0.05, "mask_threshold": 0.2, "overlap_mask_area_threshold": 0.1}]
)
def test_instances_and_panoptic(
    sizes: Any,
    options: dict[str, float],
    detr: DetrSegmentationOutput,
    mask2former: Mask2FormerForUniversalSegmentationOutput,
) -> None:
    for family, outputs in {"Detr": detr, "Mask2Former": mask2former}.items():
        oracle = getattr(transformers, f"{family}ImageProcessorPil")()
        for fused in (set(), {1, 3}):
            named = {**options, "label_ids_to_fuse": fused, "target_sizes": sizes}
            expected = oracle.post_process_panoptic_segmentation(outputs, **named)
            assert expected[0]["segments_info"]
            assert_same(OURS.post_process_panoptic_segmentation(outputs, **named), expected)
        for runs in (False, True):
            named = {**options, "target_sizes": sizes, "return_coco_annotation": runs}
            expected = oracle.post_process_instance_segmentation(outputs, **named)
            assert_same(OURS.post_process_instance_segmentation(outputs, **named), expected)
    named = {**options, "target_sizes": sizes, "return_binary_maps": True}
    expected = oracle.post_process_instance_segmentation(mask2former, **named)
    assert_same(OURS.post_process_instance_segmentation(mask2former, **named), expected)


@pytest.mark.parametrize("sizes", [None, SIZES])
def test_mask2former_by_maskformers_processor(
    sizes: Any, mask2former: Mask2FormerForUniversalSegmentationOutput
) -> None:
    """Published checkpoints of Mask2Former name either processor; MaskFormer's leaves masks in the model's size."""
    oracle = transformers.MaskFormerImageProcessorPil()
    ours = ImageProcessor(image_processor_type="MaskFormerImageProcessor")
    semantic = oracle.post_process_semantic_segmentation(mask2former, sizes)
    assert_same(ours.post_process_semantic_segmentation(mask2former, sizes), semantic)
    named = {"threshold": 0.3, "target_sizes": sizes}
    panoptic = oracle.post_process_panoptic_segmentation(mask2former, label_ids_to_fuse={1}, **named)
    assert panoptic[0]["segments_info"]
    assert_same(ours.post_process_panoptic_segmentation(mask2former, label_ids_to_fuse={1}, **named), panoptic)
    for form in ({}, {"return_coco_annotation": True}, {"return_binary_maps": True}):
        instances = oracle.post_process_instance_segmentation(mask2former, **named, **form)
        assert_same(ours.post_process_instance_segmentation(mask2former, **named, **form), instances)


@pytest.mark.parametrize("sizes", [None, SIZES])
def test_depth(sizes: Any) -> None:
    outputs = DepthEstimatorOutput(predicted_depth=noise(2, 8, 11))
    expected = transformers.DPTImageProcessorPil().post_process_depth_estimation(outputs, target_sizes=sizes)
    assert_same(OURS.post_process_depth_estimation(outputs, target_sizes=sizes), expected)


def test_refusals(detr: DetrSegmentationOutput) -> None:
    with pytest.raises(PreprocessorError, match="target_sizes has 1 sizes for 2 images"):
        OURS.post_process_object_detection(detr, target_sizes=SIZES[:1])
    with pytest.raises(PreprocessorError, match="it has a height and a width for each image"):
        OURS.post_process_object_detection(detr, target_sizes=[(1, 2, 3), (1, 2, 3)])
    with pytest.raises(PreprocessorError, match=r"segments need the outputs of a model that predicts masks; .*logits"):
        OURS.post_process_panoptic_segmentation(SemanticSegmenterOutput(logits=noise(2, 5, 7, 9)))
    with pytest.raises(PreprocessorError, match="exclude each other"):
        OURS.post_process_instance_segmentation(detr, return_coco_annotation=True, return_binary_maps=True)
    with pytest.raises(PreprocessorError, match="return_binary_maps is for Mask2Former's"):
        OURS.post_process_instance_segmentation(detr, return_binary_maps=True)
