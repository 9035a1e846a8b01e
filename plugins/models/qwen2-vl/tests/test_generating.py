"""Generation with pictures: with a cache and without, one row or many, every way of choosing, a second question."""

from typing import Any

import pytest
import torch
from torch import Tensor

from modelry.inference import prepared_step
from modelry_qwen2_vl import Qwen2VLForConditionalGeneration

WANTED: dict[str, Any] = {"max_new_tokens": 6, "do_sample": False, "eos_token_id": None, "pad_token_id": 0}
Inputs = dict[str, Tensor]
IMAGE, VIDEO = 90, 91


@pytest.mark.parametrize(
    "strategy",
    [
        {},
        {"num_beams": 3, "num_return_sequences": 2},
        {"do_sample": True, "seed": 3, "num_return_sequences": 2},
        {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
        {"penalty_alpha": 0.6, "top_k": 3},
    ],
    ids=lambda strategy: "-".join(strategy) or "greedy",
)
def test_as_without_a_cache(model: Qwen2VLForConditionalGeneration, inputs: Inputs, strategy: dict[str, Any]) -> None:
    found = model.generate(**inputs, **{**WANTED, **strategy})
    assert found.tolist() == model.generate(**inputs, **{**WANTED, **strategy}, use_cache=False).tolist()


def test_behind_a_film_of_more_frames_than_its_edges_are_long(model: Qwen2VLForConditionalGeneration) -> None:
    pixels = torch.randn(16, 96, generator=torch.Generator().manual_seed(3))
    film = {"pixel_values_videos": pixels, "video_grid_thw": torch.tensor([[4, 2, 2]])}
    ids = torch.tensor([[5, 6, *[VIDEO] * 4, 7]])
    with torch.inference_mode():
        first = model(ids, **film, use_cache=True)
        second = model(torch.tensor([[8]]), past_key_values=first.past_key_values).logits
        whole = model(torch.cat((ids, torch.tensor([[8]])), dim=1), **film).logits
    torch.testing.assert_close(second, whole[:, -1:], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cache", ["static", "quantized", "offloaded"])
def test_every_cache(model: Qwen2VLForConditionalGeneration, inputs: Inputs, cache: str) -> None:
    assert model.generate(**inputs, **WANTED, cache=cache).tolist() == model.generate(**inputs, **WANTED).tolist()


def test_drafts_change_nothing(model: Qwen2VLForConditionalGeneration, inputs: Inputs) -> None:
    expected = model.generate(**inputs, **WANTED).tolist()
    assert model.generate(**inputs, **WANTED, assistant_model=model).tolist() == expected
    assert model.generate(**inputs, **WANTED, prompt_lookup_num_tokens=3).tolist() == expected


@pytest.mark.parametrize("use_cache", [True, False])
def test_rows_that_end_take_their_pictures_along(
    model: Qwen2VLForConditionalGeneration, inputs: Inputs, use_cache: bool
) -> None:
    whole = model.generate(**inputs, **WANTED)
    end = int(whole[0, -5])
    found = model.generate(**inputs, **{**WANTED, "eos_token_id": end}, use_cache=use_cache)
    assert found[0, 13:15].tolist() == whole[0, 13:15].tolist()
    assert set(found[0, 15:].tolist()) == {0}
    new = whole[1, 13:].tolist()
    length = new.index(end) + 1 if end in new else len(new)
    assert found[1, 13 : 13 + length].tolist() == new[:length]


def test_a_second_question(model: Qwen2VLForConditionalGeneration, inputs: Inputs) -> None:
    cache = model.make_cache()
    first = model.generate(**inputs, **WANTED, past_key_values=cache)
    whole = torch.cat((first, torch.tensor([[11, 12, 13], [14, 15, 16]])), dim=1)
    more = torch.ones(2, whole.shape[1] - 13, dtype=torch.long)
    inputs |= {"input_ids": whole, "attention_mask": torch.cat((inputs["attention_mask"], more), dim=1)}
    expected = model.generate(**inputs, **WANTED).tolist()
    named = {"attention_mask": inputs["attention_mask"], "past_key_values": cache}
    assert model.generate(whole, **named, **WANTED).tolist() == expected  # no picture is looked at again


@pytest.mark.parametrize("given", ["all pictures", "the new ones"])
def test_a_second_question_with_the_same_pictures_again(
    model: Qwen2VLForConditionalGeneration, inputs: Inputs, given: str
) -> None:
    cache, wanted = model.make_cache(), {**WANTED, "suppress_tokens": [IMAGE, VIDEO]}
    first = model.generate(**inputs, **wanted, past_key_values=cache)
    again = inputs["input_ids"].masked_fill(inputs["input_ids"] == 0, 11)
    whole = torch.cat((first, again), dim=1)
    more = torch.ones(2, whole.shape[1] - 13, dtype=torch.long)
    named = {"attention_mask": torch.cat((inputs["attention_mask"], more), dim=1), **wanted}
    a, b, c = inputs["pixel_values"].split([8, 8, 12])
    every = {
        "pixel_values": torch.cat((a, b, a, b, c, c)),
        "image_grid_thw": inputs["image_grid_thw"][[0, 1, 0, 1, 2, 2]],
        "pixel_values_videos": inputs["pixel_values_videos"].repeat(2, 1),
        "video_grid_thw": inputs["video_grid_thw"].repeat(2, 1),
    }
    expected = model.generate(whole, **every, **named).tolist()
    pictures = every if given == "all pictures" else {name: inputs[name] for name in every}
    types = (whole == IMAGE).long() + 2 * (whole == VIDEO).long()
    found = model.generate(whole, **pictures, mm_token_type_ids=types, **named, past_key_values=cache)
    assert found.tolist() == expected


def test_no_prepared_step_is_taken(model: Qwen2VLForConditionalGeneration) -> None:
    assert prepared_step(model) is None
