"""What is special about SigLIP: the last position, pairs judged alone, the pooling head, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry_siglip import (
    SiglipConfig,
    SiglipForImageClassification,
    SiglipModel,
    SiglipTextModel,
    SiglipVisionModel,
)

IDS = torch.tensor([[5, 6, 7, 1, 1, 1], [7, 8, 9, 10, 11, 1]])


@torch.inference_mode()
def test_padding_is_read_unless_a_mask_says_otherwise(model: SiglipModel) -> None:
    text = model.text_model
    plain, masked = text(IDS).pooler_output, text(IDS, attention_mask=(IDS != 1).long()).pooler_output
    assert not plain.allclose(masked, atol=1e-4)
    assert not plain[:1].allclose(text(IDS[:1, :3]).pooler_output, atol=1e-4)


@torch.inference_mode()
def test_other_texts_change_no_score(model: SiglipModel) -> None:
    images = torch.randn(3, 3, 16, 24)
    both = model.probabilities(model(IDS, images).logits_per_image)
    alone = model.probabilities(model(IDS[:1], images).logits_per_image)
    torch.testing.assert_close(both[:, :1], alone)


@torch.inference_mode()
def test_every_side_loads_from_the_whole_models_files(model: SiglipModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    images = torch.randn(2, 3, 16, 24)
    seen = model.get_image_features(images).pooler_output
    texts = model.get_text_features(IDS).pooler_output
    torch.testing.assert_close(SiglipTextModel.from_pretrained(tmp_path)(IDS).pooler_output, texts)
    torch.testing.assert_close(SiglipVisionModel.from_pretrained(tmp_path)(images).pooler_output, seen)
    with pytest.warns(match="classifier"):
        classifier = SiglipForImageClassification.from_pretrained(tmp_path)
    torch.testing.assert_close(classifier.vision_model(images).pooler_output, seen)


def test_without_a_pooling_head_there_is_nothing_to_compare(config: SiglipConfig) -> None:
    config.vision_config.vision_use_head = False
    assert SiglipVisionModel(config.vision_config)(torch.randn(1, 3, 16, 24)).pooler_output is None
    with pytest.raises(ValueError, match="vision_use_head is false"):
        SiglipModel(config)(IDS, torch.randn(1, 3, 16, 24))


@torch.inference_mode()
def test_another_size_needs_interpolation(model: SiglipModel) -> None:
    images = torch.randn(2, 3, 33, 24)
    with pytest.raises(ValueError, match="33 x 24 pixels"):
        model(IDS, images)
    out = model(IDS, images, interpolate_pos_encoding=True, output_hidden_states=True)
    assert out.vision_model_output.hidden_states[0].shape == (2, 4 * 3, 32)


def test_weights_of_a_new_model(config: SiglipConfig) -> None:
    config.initializer_factor = 0.0
    assert not SiglipForImageClassification(config).classifier.weight.any()
    model = SiglipModel(config)
    assert not model.logit_scale.any()
    assert not model.logit_bias.any()
    assert model.vision_model.head.probe.any()


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"input_ids": IDS}, "give pixel_values"),
        ({"pixel_values": torch.randn(1, 3, 16, 24)}, "give input_ids"),
        ({"input_ids": torch.ones(1, 25, dtype=torch.long), "pixel_values": torch.randn(1, 3, 16, 24)}, "25 positions"),
        ({"input_ids": IDS, "pixel_values": torch.randn(3, 3, 16, 24), "return_loss": True}, "2 texts, 3 images"),
    ],
)
def test_inputs_that_cannot_be_are_refused(model: SiglipModel, inputs: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        model(**inputs)
