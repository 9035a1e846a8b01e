"""Objects are answered for by one query each, and labels that cannot be are refused."""

from typing import Any

import pytest
import torch
from torch import Tensor

from modelry_mask2former import Mask2FormerConfig, Mask2FormerForUniversalSegmentation
from modelry_mask2former.losses import Mask2FormerLoss, Prediction, sampled


def test_places_are_between_points() -> None:
    maps = torch.arange(6.0).view(1, 1, 2, 3)
    centres = torch.tensor([[[1 / 6, 0.25], [5 / 6, 0.75], [0.5, 0.5]]])
    torch.testing.assert_close(sampled(maps, centres), torch.tensor([[[0.0, 5.0, 2.5]]]))


def test_right_answers_cost_little(values: dict[str, Any], labels: dict[str, list[Tensor]]) -> None:
    loss = Mask2FormerLoss(Mask2FormerConfig(**values))
    masks = torch.full((2, 5, 40, 52), -10.0)
    classes = torch.zeros(2, 5, 3)
    classes[:, :, 2] = 50
    for query, number in ((3, 0), (1, 1)):
        masks[0, query] = labels["mask_labels"][0][number] * 20 - 10
        classes[0, query] = torch.eye(3)[labels["class_labels"][0][number]] * 50
    right = Prediction(masks, classes)
    queries, objects = loss.pairs(masks[0], classes[0], labels["mask_labels"][0], labels["class_labels"][0])
    assert dict(zip(queries.tolist(), objects.tolist(), strict=True)) == {3: 0, 1: 1}
    wrong = Prediction(-masks, classes)
    costs = [float(loss([one], labels["mask_labels"], labels["class_labels"])) for one in (right, wrong)]
    assert 20 * costs[0] < costs[1]


def test_earlier_predictions_count_where_the_configuration_says_so(
    values: dict[str, Any], images: Tensor, labels: dict[str, list[Tensor]]
) -> None:
    found = []
    for auxiliary in (True, False):
        torch.manual_seed(0)
        config = Mask2FormerConfig(**values, use_auxiliary_loss=auxiliary)
        found.append(float(Mask2FormerForUniversalSegmentation(config).eval()(images, **labels).loss.detach()))
    assert found[0] > 2 * found[1] > 0


def test_a_model_learns(values: dict[str, Any], labels: dict[str, list[Tensor]]) -> None:
    torch.manual_seed(0)
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**values)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    masks = labels["mask_labels"][0]
    pixels = (masks[0] - masks[1]).expand(1, 3, -1, -1)
    first = last = 0.0
    for _ in range(14):
        loss = model(pixels, mask_labels=[masks], class_labels=labels["class_labels"][:1]).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        last = float(loss.detach())
        first = first or last
    assert last < 0.6 * first


def test_no_objects_at_all(values: dict[str, Any], images: Tensor) -> None:
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**values))
    nothing = {"mask_labels": [torch.zeros(0, 40, 52)] * 2, "class_labels": [torch.zeros(0, dtype=torch.long)] * 2}
    loss = model(images, **nothing).loss
    loss.backward()
    assert torch.isfinite(loss)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"class_labels": None}, "mask_labels and class_labels go together"),
        ({"class_labels": [torch.tensor([1, 0])]}, "2 mask_labels and 1 class_labels were given for 2 images"),
        ({"class_labels": [torch.tensor([1]), torch.tensor([]).long()]}, r"class_labels\[0\] \(1,\)"),
        ({"class_labels": [torch.tensor([1, 2]), torch.tensor([]).long()]}, "with 2 classes labels are 0 to 1"),
        ({"mask_labels": [torch.zeros(40, 52)] * 2}, r"mask_labels\[0\] has shape \(40, 52\)"),
    ],
)
def test_labels_that_do_not_fit_are_refused(
    values: dict[str, Any], images: Tensor, labels: dict[str, Any], changes: dict[str, Any], said: str
) -> None:
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**values))
    with pytest.raises(ValueError, match=said):
        model(images, **{**labels, **changes})
