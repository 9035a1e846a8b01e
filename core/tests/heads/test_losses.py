"""Losses against sums written out."""

import pytest
import torch
from torch.nn import functional as F

from modelry.heads.losses import (
    classification_loss,
    cross_entropy,
    dice_loss,
    next_token_loss,
    semantic_loss,
    span_loss,
)

LOGITS = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))


def test_next_token_loss() -> None:
    labels = torch.tensor([[-100, 1, 2, -100], [3, 3, 0, 4]])
    logs = LOGITS.log_softmax(-1)
    pairs = [(0, 0, 1), (0, 1, 2), (1, 0, 3), (1, 1, 0), (1, 2, 4)]
    total = -sum(logs[row, place, label] for row, place, label in pairs)
    torch.testing.assert_close(next_token_loss(LOGITS, labels), total / 5)
    torch.testing.assert_close(next_token_loss(LOGITS, labels, num_items_in_batch=10), total / 10)
    torch.testing.assert_close(next_token_loss(LOGITS, labels, num_items_in_batch=torch.tensor(10)), total / 10)
    assert next_token_loss(LOGITS.bfloat16(), labels).dtype is torch.float32


def test_labels_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"labels have shape \(2, 4\), and there are scores of \(2, 1\) positions"):
        next_token_loss(LOGITS[:, -1:], torch.zeros(2, 4, dtype=torch.long))


def test_cross_entropy_ignores() -> None:
    labels = torch.tensor([1, -100, 2, -100])
    torch.testing.assert_close(cross_entropy(LOGITS[0], labels), cross_entropy(LOGITS[0, [0, 2]], labels[[0, 2]]))


def test_the_dtype_of_labels_tells_the_problem() -> None:
    scores = LOGITS[0]
    whole, many = torch.tensor([0, 1, 2, 3]), torch.eye(4, 5)
    same = classification_loss(scores, whole, problem_type="single_label_classification")
    assert classification_loss(scores, whole, problem_type=None) == same
    assert classification_loss(scores, many, problem_type=None) == classification_loss(
        scores, many, problem_type="multi_label_classification"
    )
    with pytest.raises(ValueError, match=r"labels are float32 of shape \(4,\), and for 5 classes .* must be \(4, 5\)"):
        classification_loss(scores, torch.ones(4), problem_type=None)
    one = classification_loss(scores[:, :1], torch.ones(4), problem_type=None)
    torch.testing.assert_close(one, (scores[:, 0] - 1).square().mean())
    with pytest.raises(ValueError, match="problem_type is 'guess'"):
        classification_loss(scores, whole, problem_type="guess")


def test_spans_outside_do_not_count() -> None:
    starts, ends = LOGITS[:, :, 0], LOGITS[:, :, 1]
    found = span_loss(starts, ends, torch.tensor([1, 77]), torch.tensor([[2], [3]]))
    expected = (-starts[0].log_softmax(-1)[1] - ends.log_softmax(-1)[[0, 1], [2, 3]].mean()) / 2
    torch.testing.assert_close(found, expected)


def test_pixels_that_do_not_count_change_nothing() -> None:
    logits, labels = torch.randn(2, 3, 2, 2), torch.randint(3, (2, 4, 4))
    labels[:, 0] = 255
    large = F.interpolate(logits, size=(4, 4), mode="bilinear")
    expected = F.cross_entropy(large.permute(0, 2, 3, 1)[:, 1:].flatten(0, 2), labels[:, 1:].flatten())
    torch.testing.assert_close(semantic_loss(logits, labels, ignored=255), expected)


def test_one_class_is_a_yes_or_no() -> None:
    logits, labels = torch.randn(1, 1, 2, 2), torch.tensor([[[0, 1], [255, 1]]])
    single = F.binary_cross_entropy_with_logits(logits[0, 0], labels[0].float(), reduction="none")
    expected = (single.sum() - single[1, 0]) / 4
    torch.testing.assert_close(semantic_loss(logits, labels, ignored=255), expected)


@pytest.mark.parametrize("wrong", [5, -1])
def test_labels_outside_are_refused(wrong: int) -> None:
    with pytest.raises(ValueError, match=f"a label is {wrong}: with 5 classes labels are 0 to 4, or -100"):
        cross_entropy(LOGITS[0], torch.tensor([1, -100, wrong, 0]))


def test_pixels_of_no_class_are_refused() -> None:
    labels = torch.tensor([[[0, 2], [255, 1]]])
    with pytest.raises(ValueError, match="a label is 2: with 2 classes labels are 0 to 1, or 255"):
        semantic_loss(torch.zeros(1, 2, 2, 2), labels, ignored=255)
    with pytest.raises(ValueError, match="a label is 2: with 2 classes labels are 0 to 1, or 255"):
        semantic_loss(torch.zeros(1, 1, 2, 2), labels, ignored=255)


@pytest.mark.parametrize("wrong", [2.0, -0.5, float("nan")])
def test_labels_of_several_classes_are_shares(wrong: float) -> None:
    with pytest.raises(ValueError, match=f"a label is {wrong:g}: .* from 0 to 1"):
        classification_loss(LOGITS[0], torch.full((4, 5), 0.5).index_fill(0, torch.tensor(1), wrong), problem_type=None)


def test_masks_that_overlap_have_no_dice_loss() -> None:
    masks = torch.tensor([[1.0, 0, 1, 0], [0, 0, 1, 1]])
    sure = (masks * 2 - 1) * 50
    assert float(dice_loss(sure, masks, count=2)) == pytest.approx(0, abs=1e-6)
    none = dice_loss(-sure, masks, count=2)  # 1 - (0 + 1) / (2 + 2 + 1), twice
    assert float(none) == pytest.approx(0.8)
    assert float(dice_loss(-sure, masks, count=4)) == pytest.approx(0.4)
