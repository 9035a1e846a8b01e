"""What is special about LLaVA: images in their places, a second question, parts of other families, and refusals."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelry import AutoModelForImageTextToText
from modelry.errors import ConfigError, RegistryError
from modelry_llava import LlavaConfig, LlavaForConditionalGeneration
from modelry_registry import Registry, get_registry, use_registry

IMAGE = 90
IDS = torch.tensor([[5, IMAGE, IMAGE, 6, 7, 8]])
PIXELS = torch.randn(1, 3, 8, 16, generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def test_an_image_changes_what_stands_behind_it_only(model: LlavaForConditionalGeneration) -> None:
    one, other = model(IDS, PIXELS).logits, model(IDS, PIXELS.flip(-1)).logits
    assert one[:, 0].equal(other[:, 0])
    assert not one[:, 1:].allclose(other[:, 1:], atol=1e-3)


@torch.inference_mode()
def test_images_stand_in_order(model: LlavaForConditionalGeneration) -> None:
    ids = torch.cat((IDS, IDS), dim=1)
    images = torch.cat((PIXELS, PIXELS.flip(-1)))
    found = model(ids, images)
    features = model.get_image_features(images)
    assert features.shape == (2, 2, 32)
    torch.testing.assert_close(found.image_hidden_states, features.flatten(0, 1))
    torch.testing.assert_close(model(ids, image_features=features).logits, found.logits)
    assert not model(ids, images.flip(0)).logits.allclose(found.logits, atol=1e-3)


@torch.inference_mode()
def test_a_second_question_does_not_look_at_the_image_again(
    model: LlavaForConditionalGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = model.make_cache()
    looks: list[int] = []
    look: Any = model.model.vision_tower.forward

    def counted(**given: Any) -> Any:
        looks.append(1)
        return look(**given)

    monkeypatch.setattr(model.model.vision_tower, "forward", counted)
    wanted = {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    first = model.generate(IDS, pixel_values=PIXELS, past_key_values=cache, **wanted)
    assert len(looks) == 1
    whole = torch.cat((first, torch.tensor([[11, 12, 13]])), dim=1)
    expected = model.generate(whole, pixel_values=PIXELS, **wanted)
    assert len(looks) == 2
    assert model.generate(whole, pixel_values=PIXELS, past_key_values=cache, **wanted).tolist() == expected.tolist()
    assert len(looks) == 2


@torch.inference_mode()
@pytest.mark.parametrize("given", ["all pictures", "the new one"])
@pytest.mark.parametrize("alone", [True, False], ids=["whole conversation", "new tokens"])
def test_a_second_question_with_another_image(model: LlavaForConditionalGeneration, given: str, alone: bool) -> None:
    cache, wanted = model.make_cache(), {"max_new_tokens": 4, "min_new_tokens": 4, "do_sample": False}
    first = model.generate(IDS, pixel_values=PIXELS, past_key_values=cache, **wanted)
    whole, both = torch.cat((first, IDS), dim=1), torch.cat((PIXELS, PIXELS.flip(-1)))
    expected = model.generate(whole, pixel_values=both, **wanted)
    assert expected.tolist() != model.generate(whole, pixel_values=both.flip(0), **wanted).tolist()
    named: dict[str, Any] = {"past_key_values": cache, "attention_mask": torch.ones_like(whole), **wanted}
    if not alone:
        whole, given = whole[:, cache.seen :], "the new one"
    pixels = both if given == "all pictures" else both[1:]
    found = model.generate(whole, pixel_values=pixels, **named)
    assert found[:, -4:].tolist() == expected[:, -4:].tolist()


@torch.inference_mode()
def test_files_of_older_writers_load(model: LlavaForConditionalGeneration, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    path = tmp_path / "model.safetensors"
    tensors = load_file(path)
    assert "language_model.model.embed_tokens.weight" in tensors
    older = {name.replace("vision_tower.", "vision_tower.vision_model."): one for name, one in tensors.items()}
    older["vision_tower.vision_model.embeddings.position_ids"] = torch.arange(3)[None]
    save_file(older, path, metadata={"format": "pt"})
    loaded = AutoModelForImageTextToText.from_pretrained(tmp_path)
    torch.testing.assert_close(loaded(IDS, PIXELS).logits, model(IDS, PIXELS).logits)


def test_missing_families_are_named_together(model: LlavaForConditionalGeneration, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    left = [one for one in get_registry().candidates if one.name not in ("llama", "clip_vision_model")]
    with use_registry(Registry(left, {})), pytest.raises(RegistryError) as caught:
        AutoModelForImageTextToText.from_pretrained(tmp_path)
    assert "llama" in str(caught.value)
    assert "clip_vision_model" in str(caught.value)


def test_the_layers_that_are_seen(values: dict[str, Any]) -> None:
    values = {**copy.deepcopy(values), "vision_feature_layer": [-1, 0], "vision_feature_select_strategy": "full"}
    model = LlavaForConditionalGeneration(LlavaConfig(**values))
    assert model.get_image_features(PIXELS).shape == (1, 3, 32)
    assert model.model.multi_modal_projector.linear_1.in_features == 48


def test_tied_by_either_configuration(values: dict[str, Any]) -> None:
    for changes in (
        {"tie_word_embeddings": True},
        {"text_config": {**values["text_config"], "tie_word_embeddings": True}},
    ):
        model = LlavaForConditionalGeneration(LlavaConfig(**{**values, **changes}))
        assert model.lm_head.weight is model.model.language_model.embed_tokens.weight


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"input_ids": IDS, "pixel_values": torch.cat((PIXELS, PIXELS))}, "2 image tokens .* 4 parts"),
        ({"input_ids": IDS[:, :2], "pixel_values": PIXELS}, "1 image tokens .* 2 parts"),
        ({"pixel_values": PIXELS}, "either input_ids or inputs_embeds"),
        ({"input_ids": IDS, "pixel_values": PIXELS[:, :1]}, r"\(images, 3, height, width\)"),
        ({"input_ids": IDS, "pixel_values": PIXELS[..., :8]}, "8 x 8 pixels"),
    ],
)
def test_inputs_that_cannot_be_are_refused(
    model: LlavaForConditionalGeneration, inputs: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        model(**inputs)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"vision_feature_layer": 9}, "vision_feature_layer 9"),
        ({"vision_feature_layer": []}, "names no layer"),
        ({"vision_feature_select_strategy": "first"}, "vision_feature_select_strategy"),
        ({"projector_hidden_act": "gelo"}, "projector_hidden_act"),
    ],
)
def test_values_that_cannot_be_are_refused(values: dict[str, Any], changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        LlavaConfig(**{**values, **changes})


def test_a_file_that_names_no_parts() -> None:
    config = LlavaConfig.from_dict({})
    assert (config.vision_config.model_type, config.text_config.model_type) == ("clip_vision_model", "llama")
    assert config.vision_config.to_dict()["image_size"] == 336
    assert config.image_token_id == 32000


def test_images_go_with_their_rows_without_a_cache(model: LlavaForConditionalGeneration) -> None:
    ids = torch.tensor([[5, IMAGE, IMAGE, IMAGE, IMAGE, 6], [0, 0, 5, IMAGE, IMAGE, 7]])
    images = torch.cat((PIXELS, PIXELS.flip(-1), PIXELS * 2))
    wanted: dict[str, Any] = {"attention_mask": (ids != 0).long(), "max_new_tokens": 4, "num_beams": 3}
    expected = model.generate(ids, pixel_values=images, **wanted).tolist()
    assert model.generate(ids, pixel_values=images, **wanted, use_cache=False).tolist() == expected
