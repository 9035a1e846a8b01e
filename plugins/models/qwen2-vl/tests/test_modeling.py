"""What is special about Qwen2-VL: positions that pictures put off, turns, features computed before, files, refusals."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modelry import AutoModel, AutoModelForImageTextToText
from modelry_qwen2_vl import Qwen2VLForConditionalGeneration
from modelry_qwen2_vl.positions import patch_positions, token_positions

Inputs = dict[str, Tensor]


def test_positions_by_hand() -> None:
    kinds = torch.tensor([[0, 1, 1, 0, 2, 2, 2, 0]])
    grids = {1: torch.tensor([[1, 2, 4]]), 2: torch.tensor([[3, 2, 2]])}
    found, ends = token_positions(kinds, grids, None, torch.tensor([5]), merge=2)
    assert found[0].tolist() == [[5, 6, 6, 8, 9, 10, 11, 10]]  # frames are not what the text goes on behind
    assert found[1].tolist() == [[5, 6, 6, 8, 9, 9, 9, 10]]
    assert found[2].tolist() == [[5, 6, 7, 8, 9, 9, 9, 10]]
    assert ends.tolist() == [11]


def test_patches_of_a_square_lie_together() -> None:
    found = patch_positions(torch.tensor([[2, 2, 4]]), merge=2)
    square = [[0, 0], [0, 1], [1, 0], [1, 1], [0, 2], [0, 3], [1, 2], [1, 3]]
    assert found.tolist() == square * 2


@torch.inference_mode()
def test_each_row_is_what_it_is_alone(model: Qwen2VLForConditionalGeneration, inputs: Inputs) -> None:
    together = model(**inputs).logits
    ids = inputs["input_ids"][1:, 5:]
    alone = model(ids, pixel_values=inputs["pixel_values"][16:], image_grid_thw=inputs["image_grid_thw"][2:]).logits
    torch.testing.assert_close(together[1:, 5:], alone, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_second_turn_with_pictures(model: Qwen2VLForConditionalGeneration, inputs: Inputs) -> None:
    expected = model(**inputs).logits[:1]
    ids, grids = inputs["input_ids"][:1], inputs["image_grid_thw"]
    pixels = torch.split_with_sizes(inputs["pixel_values"], [8, 8, 12])
    film = {name: inputs[name] for name in ("pixel_values_videos", "video_grid_thw")}
    first = model(ids[:, :9], pixel_values=pixels[0], image_grid_thw=grids[:1], **film)
    cache = first.past_key_values
    assert cache.shift.tolist() == [[-2]]
    second = model(ids[:, 9:12], pixel_values=pixels[1], image_grid_thw=grids[1:2], past_key_values=cache)
    third = model(ids[:, 12:], past_key_values=cache)
    found = torch.cat([one.logits for one in (first, second, third)], dim=1)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_pictures_in_other_forms(model: Qwen2VLForConditionalGeneration, inputs: Inputs) -> None:
    real = inputs["attention_mask"].bool()
    expected = model(**inputs).logits[real]
    images = model.get_image_features(inputs["pixel_values"], inputs["image_grid_thw"])
    films = model.get_video_features(inputs["pixel_values_videos"], inputs["video_grid_thw"])
    assert (images.shape, films.shape) == ((7, 32), (4, 32))
    rest = {name: one for name, one in inputs.items() if not name.startswith("pixel_values")}
    found = model(**rest, image_features=images, video_features=films).logits[real]
    torch.testing.assert_close(found, expected)
    rest = {name: one for name, one in inputs.items() if name != "input_ids"}
    embedded = model.get_input_embeddings()(inputs["input_ids"])
    torch.testing.assert_close(model(inputs_embeds=embedded, **rest).logits[real], expected)
    del rest["mm_token_type_ids"]
    torch.testing.assert_close(model(inputs_embeds=embedded, **rest).logits[real], expected)


@torch.inference_mode()
@pytest.mark.parametrize("newer", [False, True])
def test_both_layouts_of_files(
    model: Qwen2VLForConditionalGeneration, inputs: Inputs, tmp_path: Path, newer: bool
) -> None:
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    assert {"visual.merger.ln_q.weight", "model.norm.weight", "lm_head.weight"} <= tensors.keys()
    if newer:
        save_file(dict(model.state_dict()), tmp_path / "model.safetensors", metadata={"format": "pt"})
    whole = AutoModelForImageTextToText.from_pretrained(tmp_path)
    torch.testing.assert_close(whole(**inputs).logits, model(**inputs).logits)
    base: Any = AutoModel.from_pretrained(tmp_path)
    torch.testing.assert_close(base(**inputs).last_hidden_state, model.model(**inputs).last_hidden_state)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pixel_values": torch.zeros(20, 96)}, "20 patches, and the grids say 28"),
        ({"pixel_values": torch.zeros(28, 90)}, r"\(patches, 96\)"),
        ({"image_grid_thw": None}, "come with a grid"),
        ({"image_grid_thw": torch.tensor([[1, 4, 7]])}, "multiples of 2"),
        ({"input_ids": torch.full((2, 13), 5)}, "0 image tokens and the image inputs 7 parts"),
        ({"pixel_values": None, "image_grid_thw": torch.tensor([[1, 4, 4]])}, "other places for image tokens"),
        ({"pixel_values_videos": None, "video_grid_thw": torch.tensor([[2, 2, 4], [1, 2, 2]])}, "1 video inputs"),
        ({"position_ids": torch.zeros(4, 2, 13, dtype=torch.long)}, "position_ids have shape"),
        ({"inputs_embeds": torch.zeros(2, 13, 32)}, "either input_ids or inputs_embeds"),
    ],
)
def test_inputs_that_cannot_be_are_refused(
    model: Qwen2VLForConditionalGeneration, inputs: Inputs, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        model(**{**inputs, **changes})
