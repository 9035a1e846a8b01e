"""What is special about DeiT: two tokens in front of the patches, and two classifiers over them."""

from pathlib import Path

import pytest
import torch

from modelry import AutoModelForImageClassification
from modelry_deit import (
    DeiTConfig,
    DeiTForImageClassification,
    DeiTForImageClassificationWithTeacher,
    DeiTForMaskedImageModeling,
    DeiTModel,
)
from modelry_testing.alike.vision_transformers import SMALL, check_masked_patches, check_other_sizes


@pytest.fixture
def config() -> DeiTConfig:
    """Images of two by three patches."""
    return DeiTConfig(**SMALL, num_labels=3)


@torch.inference_mode()
def test_each_token_has_its_classifier(config: DeiTConfig) -> None:
    model = DeiTForImageClassificationWithTeacher(config).eval()
    images = torch.randn(2, 3, 16, 24)
    out, states = model(images), model.deit(images).last_hidden_state
    assert states.shape == (2, 2 + 6, 16)
    torch.testing.assert_close(out.cls_logits, model.cls_classifier(states[:, 0]))
    torch.testing.assert_close(out.distillation_logits, model.distillation_classifier(states[:, 1]))
    torch.testing.assert_close(out.logits, (out.cls_logits + out.distillation_logits) / 2)


def test_another_size_needs_interpolation(config: DeiTConfig) -> None:
    check_other_sizes(DeiTModel(config).eval(), before=2)


def test_a_masked_patch_is_not_seen(config: DeiTConfig) -> None:
    check_masked_patches(DeiTForMaskedImageModeling(config).eval())


def test_a_distilled_checkpoint_is_read_with_both_classifiers(config: DeiTConfig, tmp_path: Path) -> None:
    model = DeiTForImageClassificationWithTeacher(config).eval()
    model.save_pretrained(tmp_path)
    again = AutoModelForImageClassification.from_pretrained(tmp_path)
    assert isinstance(again, DeiTForImageClassificationWithTeacher)
    images = torch.randn(1, 3, 16, 24)
    assert again(images).logits.equal(model(images).logits)
    assert type(AutoModelForImageClassification.from_config(config)) is DeiTForImageClassification
