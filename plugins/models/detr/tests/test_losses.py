"""What queries are compared with: targets that no image can have, images without objects, what is no number."""

from typing import Any

import numpy as np
import pytest
import torch

from modelry.preprocessing import ImageProcessor
from modelry_detr import DetrConfig, DetrForSegmentation
from modelry_detr.boxes import corners, generalized_overlap
from modelry_detr.losses import Found, loss_of_objects
from modelry_registry import get_registry


@pytest.fixture
def config() -> DetrConfig:
    return DetrConfig(**dict(get_registry().get("models", "detr").tiny), num_labels=3)


@pytest.fixture
def found() -> Found:
    generator = torch.Generator().manual_seed(0)
    return Found(torch.randn(2, 5, 4, generator=generator), torch.rand(2, 5, 4, generator=generator))


def target(*classes: int, size: tuple[int, int] = (6, 8)) -> dict[str, torch.Tensor]:
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4]]).repeat(len(classes), 1)
    return {
        "class_labels": torch.tensor(classes, dtype=torch.long),
        "boxes": boxes,
        "masks": torch.ones(len(classes), *size),
    }


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"class_labels": torch.tensor([3])}, r"labels\[1\] has the class 3: with 3 classes they are 0 to 2"),
        ({"class_labels": torch.tensor([-1])}, "has the class -1"),
        ({"class_labels": torch.tensor([0, 1])}, r"class_labels \(2,\) of torch.int64 and boxes \(1, 4\)"),
        ({"boxes": torch.tensor([[320.0, 200, 50, 60]])}, "parts of the image"),
        ({"boxes": torch.tensor([[0.5, float("nan"), 0.1, 0.1]])}, "parts of the image"),
        ({"class_labels": torch.tensor([0.5])}, "float32"),
        ({"masks": torch.ones(2, 6, 8)}, r"masks \(2, 6, 8\): \(1, height, width\)"),
    ],
)
def test_targets_that_cannot_be_are_refused(
    found: Found, config: DetrConfig, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        loss_of_objects(found, [target(0), {**target(1), **changes}], config, masks=torch.zeros(2, 5, 3, 4))


def test_one_target_for_each_image(found: Found, config: DetrConfig) -> None:
    with pytest.raises(ValueError, match="labels has 1 entries"):
        loss_of_objects(found, [target(0)], config)
    with pytest.raises(ValueError, match=r"labels\[0\] has no boxes; it has class_labels"):
        loss_of_objects(found, [{"class_labels": torch.tensor([1])}, target(0)], config)


def test_images_without_objects(found: Found, config: DetrConfig) -> None:
    """Queries learn to say that there is nothing; all other parts are 0."""
    masks = torch.zeros(2, 5, 3, 4, requires_grad=True)
    loss, parts = loss_of_objects(found, [target(), target()], config, masks=masks)
    assert float(loss.detach()) == pytest.approx(float(parts["loss_ce"]))
    assert {name for name, one in parts.items() if one == 0} == {"loss_bbox", "loss_giou", "loss_mask", "loss_dice"}
    loss.backward()


def test_more_objects_than_queries(found: Found, config: DetrConfig) -> None:
    many = target(*[0, 1] * 4)
    loss, _ = loss_of_objects(found, [many, target(2)], config)
    assert torch.isfinite(loss)


def test_what_is_no_number_is_matched_last(found: Found, config: DetrConfig) -> None:
    boxes = found.boxes.clone()
    boxes[0, :4] = float("nan")
    loss, parts = loss_of_objects(Found(found.logits, boxes), [target(1), target()], config)
    assert torch.isfinite(parts["loss_bbox"])
    assert torch.isfinite(loss)


def test_overlap_by_hand() -> None:
    one = corners(torch.tensor([[0.25, 0.5, 0.5, 1.0]]))
    assert one.tolist() == [[0.0, 0.0, 0.5, 1.0]]
    apart = torch.tensor([[0.5, 0.0, 1.0, 1.0]])
    assert float(generalized_overlap(one, one)) == 1.0
    assert float(generalized_overlap(one, apart)) == 0.0
    assert generalized_overlap(one[:, None], torch.cat([one, apart])).tolist() == [[1.0, 0.0]]
    far = torch.tensor([[0.75, 0.0, 1.0, 1.0]])
    assert float(generalized_overlap(one, far)) == pytest.approx(-0.25)


def test_annotations_become_labels() -> None:
    """COCO's annotations go through the processor into the loss, padded images too; a class too many is named."""
    values = {**dict(get_registry().get("models", "detr").tiny), "num_labels": 3}
    model = DetrForSegmentation(DetrConfig(**values)).train()
    processor = ImageProcessor(
        image_processor_type="DetrImageProcessor", size={"shortest_edge": 32, "longest_edge": 64}
    )
    outline = [[4, 4, 30, 4, 30, 20, 4, 20]]
    thing = {"category_id": 1, "bbox": [4, 4, 26, 16], "area": 416, "segmentation": outline}
    shown = [{"image_id": 1, "annotations": [thing]}, {"image_id": 2, "annotations": []}]
    pictures = [np.zeros((40, 60, 3), np.uint8), np.zeros((60, 40, 3), np.uint8)]
    inputs = processor(pictures, annotations=shown, return_segmentation_masks=True, return_tensors="pt")
    out = model(**inputs)
    assert torch.isfinite(out.loss)
    assert set(out.loss_dict) == {"loss_ce", "loss_bbox", "loss_giou", "loss_mask", "loss_dice", "cardinality_error"}
    thing["category_id"] = 3
    with pytest.raises(ValueError, match=r"labels\[0\] has the class 3"):
        model(**processor(pictures, annotations=shown, return_segmentation_masks=True, return_tensors="pt"))
