"""What a call brings and cannot be used is refused before the model runs, which then goes on as if nothing had been."""

import pytest
import torch

from modelry.cache import Cache, GrowingLayerCache, SlidingLayerCache, StateLayerCache
from modelry.errors import GenerationError
from modelry.generation import generate
from modelry.generation.brought import refuse_hidden

pytestmark = pytest.mark.usefixtures("plain_strategy")

PROMPT = torch.tensor([[3, 4, 5]])
BAD = [
    ({"logits_processor": [3]}, r"logits_processor holds 3, of type int: give functions"),
    ({"logits_processor": 3}, r"logits_processor holds 3, of type int"),
    ({"stopping_criteria": ["."]}, r"stopping_criteria holds '\.', of type str"),
    ({"streamer": 3}, r"streamer is of type int: one with put\(ids\) and end\(\)"),
    ({"generator": 3}, r"generator is of type int: a torch.Generator is needed, or seed="),
    ({"past_key_values": 3}, r"past_key_values is a int: give the Cache"),
    ({"negative_prompt_ids": [[29]]}, r"token id 29 \(row 0, position 0\) is not in the vocabulary"),
    ({"negative_prompt_ids": [[3], [4]]}, r"negative_prompt_ids has shape \(2, 1\), and there are 1 prompts"),
    ({"negative_prompt_ids": 3}, r"negative_prompt_ids has shape \(\); \(rows, positions\) is needed"),
    ({"negative_prompt_ids": [["a"]]}, r"negative_prompt_ids is not a rectangle of numbers"),
    ({"prefix_allowed_tokens_fn": 3}, r"prefix_allowed_tokens_fn holds 3, of type int: give functions"),
    (
        {"negative_prompt_ids": [[3]], "negative_prompt_attention_mask": [[1, 1]]},
        r"attention_mask has shape \(1, 2\), and negative_prompt_ids \(1, 1\)",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[message for _, message in BAD])
def test_refused_before_work(toy, arguments, message):
    options = {"strategy": "toy-strategy", "max_new_tokens": 4}
    if "negative_prompt_ids" in arguments:
        arguments = {"guidance_scale": 2.0, **arguments}
    with pytest.raises(GenerationError, match=message):
        generate(toy, PROMPT, **options, **arguments)
    assert not toy.calls
    assert generate(toy, PROMPT, **options).tolist() == [toy.greedy([3, 4, 5], 4)]


@pytest.mark.parametrize(
    ("returned", "words"), [(None, "a NoneType"), (torch.ones(1, 5), r"scores \(1, 5\): scores \(1, 29\) are needed")]
)
def test_a_processor_that_returns_no_scores(toy, returned, words):
    def odd(ids, scores):
        return returned

    with pytest.raises(GenerationError, match=f"logits processor odd returned {words}"):
        generate(toy, PROMPT, strategy="toy-strategy", max_new_tokens=2, logits_processor=odd)


def test_a_processor_may_write_into_scores(toy):
    def in_place(ids, scores):
        scores[:, 7] = 100.0
        return scores

    options = {"strategy": "toy-strategy", "max_new_tokens": 1, "return_dict_in_generate": True, "output_logits": True}
    plain = generate(toy, PROMPT, **options)
    changed = generate(toy, PROMPT, **options, logits_processor=in_place)
    assert changed.sequences.tolist() == [[3, 4, 5, 7]]
    assert torch.equal(changed.logits[0], plain.logits[0])


def test_a_state_cannot_pass_over_positions(toy, monkeypatch):
    hidden = torch.tensor([[1, 1, 1, 1, 1, 1], [0, 1, 1, 0, 0, 1]])
    refuse_hidden(toy, hidden)
    monkeypatch.setattr(toy.config, "layer_types", ["mamba"], raising=False)
    refuse_hidden(toy, torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]]))
    with pytest.raises(GenerationError, match=r"in the middle of rows \[1\]: a recurrent state cannot pass over them"):
        refuse_hidden(toy, hidden)


@pytest.mark.parametrize(
    ("cache", "message"),
    [
        (Cache([GrowingLayerCache()] * 2), r"past_key_values has 2 layers, and ToyLM has 1: it is another model's"),
        (Cache([StateLayerCache()]), "layer 0 of past_key_values keeps a recurrent state, and .* needs all keys"),
        (Cache([SlidingLayerCache(7)]), "layer 0 of past_key_values keeps the last 7 keys, and .* needs all keys"),
    ],
)
def test_the_cache_of_another_model(toy, cache, message):
    with pytest.raises(GenerationError, match=message):
        generate(toy, PROMPT, strategy="toy-strategy", past_key_values=cache)
    assert not toy.calls


def test_guidance_needs_a_token_to_begin_with(toy):
    embeds = toy.tokens(PROMPT).detach()
    options = {"inputs_embeds": embeds, "strategy": "toy-strategy", "guidance_scale": 1.5, "max_new_tokens": 3}
    with pytest.raises(GenerationError, match="the prompt is embeddings: give negative_prompt_ids"):
        generate(toy, **options)
    from_ids = {**options, "inputs": PROMPT, "inputs_embeds": None}
    guided = [generate(toy, **one, negative_prompt_ids=PROMPT[:, -1:]) for one in (options, from_ids)]
    assert guided[0].tolist() == guided[1][:, 3:].tolist() == generate(toy, **from_ids)[:, 3:].tolist()


def test_a_function_that_allows_what_is_no_token(toy):
    with pytest.raises(GenerationError, match=r"allows ids for prompt 0 that are not among the 29 .*: \[3, 99\]"):
        generate(toy, PROMPT, strategy="toy-strategy", prefix_allowed_tokens_fn=lambda prompt, ids: [3, 99])
