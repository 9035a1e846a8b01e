"""What is special about the Vision Transformer: images of any size, masked patches, and what is refused."""

from typing import Any

import pytest
import torch

from modelry.errors import ConfigError
from modelry_testing.alike.vision_transformers import SMALL, check_masked_patches, check_other_sizes
from modelry_vit import ViTConfig, ViTForImageClassification, ViTForMaskedImageModeling, ViTModel


@pytest.fixture
def config() -> ViTConfig:
    """Images of two by three patches."""
    return ViTConfig(**SMALL)


def test_several_oblong_images_are_rows_of_their_own(config: ViTConfig) -> None:
    model = ViTForImageClassification(config).eval()
    images = torch.randn(3, 3, 16, 24)
    with torch.inference_mode():
        together = model(images).logits
        torch.testing.assert_close(together[1:2], model(images[1:2]).logits)


def test_another_size_needs_interpolation(config: ViTConfig) -> None:
    check_other_sizes(ViTModel(config).eval(), before=1)


def test_a_masked_patch_is_not_seen(config: ViTConfig) -> None:
    check_masked_patches(ViTForMaskedImageModeling(config).eval())


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({}, "give pixel_values"),
        ({"pixel_values": torch.randn(1, 1, 16, 24)}, r"\(images, 3, height, width\)"),
        ({"pixel_values": torch.randn(3, 16, 24)}, "shape"),
        ({"pixel_values": torch.randn(1, 3, 16, 24), "bool_masked_pos": torch.ones(1, 6)}, "mask token"),
    ],
)
def test_inputs_that_cannot_be_are_refused(config: ViTConfig, inputs: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        ViTModel(config)(**inputs)


def test_a_mask_of_another_shape_is_refused(config: ViTConfig) -> None:
    with pytest.raises(ValueError, match=r"\(1, 6\)"):
        ViTForMaskedImageModeling(config)(torch.randn(1, 3, 16, 24), bool_masked_pos=torch.ones(1, 4))


def test_a_stride_that_does_not_fit_is_refused_where_there_is_a_mask(config: ViTConfig) -> None:
    config.encoder_stride = 4
    model = ViTForMaskedImageModeling(config)
    assert model(torch.randn(1, 3, 16, 24)).reconstruction.shape == (1, 3, 8, 12)
    with pytest.raises(ValueError, match="encoder_stride 4"):
        model(torch.randn(1, 3, 16, 24), bool_masked_pos=torch.ones(1, 6))


@pytest.mark.parametrize(
    "changes", [{"num_attention_heads": 5}, {"image_size": 4}, {"patch_size": 0}, {"image_size": (16, 24, 3)}]
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changes))):
        ViTConfig(**{"hidden_size": 16, "num_attention_heads": 2, **changes})


def test_a_new_model_has_small_random_positions(config: ViTConfig) -> None:
    positions = ViTModel(config).embeddings.position_embeddings
    assert 0.005 < float(positions.detach().std()) < 0.05
