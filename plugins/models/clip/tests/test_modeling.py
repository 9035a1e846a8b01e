"""What is special about CLIP: end tokens, sides that load from the whole, images of any size, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from modelry_clip import (
    CLIPConfig,
    CLIPForImageClassification,
    CLIPModel,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
)

IDS = torch.tensor([[94, 5, 6, 95, 1, 1], [94, 7, 8, 9, 10, 95]])


@torch.inference_mode()
def test_padding_behind_the_end_token_changes_no_score(model: CLIPModel) -> None:
    images = torch.randn(3, 3, 16, 24)
    scores = model(IDS, images).logits_per_image  # without a mask: nobody looks back from the padding
    assert scores.shape == (3, 2)
    torch.testing.assert_close(model(IDS[:1, :4], images).logits_per_image, scores[:, :1])


@pytest.mark.parametrize(("end", "places"), [(95, [3, 5]), (2, [3, 5]), (3, [0, 0]), ([6, 9], [2, 3]), (None, [0, 0])])
@torch.inference_mode()
def test_the_end_token_describes_a_text(config: CLIPConfig, end: Any, places: list[int]) -> None:
    config.text_config.eos_token_id = end
    out = CLIPTextModel(config.text_config).eval()(IDS)
    assert out.pooler_output.equal(out.last_hidden_state[torch.arange(2), torch.tensor(places)])


@torch.inference_mode()
def test_a_token_sees_those_before_it_only(model: CLIPModel) -> None:
    other = IDS.clone()
    other[:, 4:] = 20
    one, two = (model.text_model(ids).last_hidden_state for ids in (IDS, other))
    assert one[:, :4].equal(two[:, :4])
    assert not one[:, 4:].equal(two[:, 4:])


@torch.inference_mode()
def test_every_side_loads_from_the_whole_models_files(model: CLIPModel, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    images = torch.randn(2, 3, 16, 24)
    texts, seen = model.get_text_features(IDS), model.get_image_features(images)
    torch.testing.assert_close(
        CLIPTextModelWithProjection.from_pretrained(tmp_path)(IDS).text_embeds, texts.pooler_output
    )
    torch.testing.assert_close(
        CLIPVisionModelWithProjection.from_pretrained(tmp_path)(images).image_embeds, seen.pooler_output
    )
    torch.testing.assert_close(CLIPTextModel.from_pretrained(tmp_path)(IDS).last_hidden_state, texts.last_hidden_state)
    torch.testing.assert_close(
        CLIPVisionModel.from_pretrained(tmp_path)(images).last_hidden_state, seen.last_hidden_state
    )


@torch.inference_mode()
def test_files_that_keep_the_number_of_each_position_load(model: CLIPModel, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    numbers = {"text_model.embeddings.position_ids": torch.arange(24)[None]}
    save_file({**load_file(path), **numbers}, path, metadata={"format": "pt"})
    images = torch.randn(1, 3, 16, 24)
    found = CLIPModel.from_pretrained(tmp_path)(IDS, images).logits_per_text
    torch.testing.assert_close(found, model(IDS, images).logits_per_text)
    CLIPTextModel.from_pretrained(tmp_path)


@torch.inference_mode()
def test_another_size_needs_interpolation(model: CLIPModel) -> None:
    images = torch.randn(2, 3, 33, 24)
    with pytest.raises(ValueError, match="33 x 24 pixels"):
        model(IDS, images)
    out = model(IDS, images, interpolate_pos_encoding=True, output_hidden_states=True)
    assert out.vision_model_output.hidden_states[0].shape == (2, 1 + 4 * 3, 32)


def test_a_factor_of_new_weights(config: CLIPConfig) -> None:
    config.initializer_factor = config.text_config.initializer_factor = 0.0
    config.vision_config.initializer_factor = 0.0
    model = CLIPModel(config)
    assert not model.text_projection.weight.any()
    assert not model.text_model.embeddings.token_embedding.weight.any()
    assert model.logit_scale.item() == pytest.approx(2.6592)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"input_ids": IDS}, "give pixel_values"),
        ({"pixel_values": torch.randn(1, 3, 16, 24)}, "give input_ids"),
        ({"input_ids": IDS, "pixel_values": torch.randn(1, 1, 16, 24)}, r"\(images, 3, height, width\)"),
        ({"input_ids": torch.ones(1, 25, dtype=torch.long), "pixel_values": torch.randn(1, 3, 16, 24)}, "25 positions"),
        ({"inputs_embeds": torch.randn(2, 4, 32), "pixel_values": torch.randn(1, 3, 16, 24)}, "where a text ends"),
        ({"input_ids": IDS, "pixel_values": torch.randn(3, 3, 16, 24), "return_loss": True}, "2 texts, 3 images"),
        (
            {"input_ids": IDS, "attention_mask": torch.ones(2, 4), "pixel_values": torch.randn(1, 3, 16, 24)},
            "attention_mask has shape",
        ),
    ],
)
def test_inputs_that_cannot_be_are_refused(model: CLIPModel, inputs: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        model(**inputs)


def test_a_label_out_of_range_is_refused(config: CLIPConfig) -> None:
    with pytest.raises(ValueError, match="a label is 5"):
        CLIPForImageClassification(config)(torch.randn(1, 3, 16, 24), labels=torch.tensor([5]))


def test_a_text_alone_needs_its_ids(config: CLIPConfig) -> None:
    with pytest.raises(ValueError, match="where a text ends"):
        CLIPTextModelWithProjection(config.text_config)(inputs_embeds=torch.randn(2, 4, 32))
