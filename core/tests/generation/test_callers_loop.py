"""A loop of the caller's own says the same here and in transformers; a published name stands for a strategy."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation import generate
from modelry_testing.decoding.lent import LentEncoderDecoder
from modelry_testing.random_models import twins

IDS = torch.tensor([[3, 4, 7, 9], [2, 5, 11, 6]])
MASK = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])


@pytest.fixture(scope="module")
def pair():
    return twins("llama", "transformers:LlamaForCausalLM", seed=1)


def ranked(model, input_ids, logits_processor, stopping_criteria, generation_config, rank=1, **more):
    """The published interface as a caller would use it."""
    mask = more["attention_mask"]
    while not stopping_criteria(input_ids, None).all():
        scores = logits_processor(input_ids, model(input_ids, attention_mask=mask).logits[:, -1])
        new = scores.sort(descending=True).indices[:, rank, None]
        input_ids, mask = torch.cat((input_ids, new), dim=1), torch.cat((mask, torch.ones_like(new)), dim=1)
    assert generation_config.max_new_tokens == 6
    return input_ids


def with_a_cache(model, input_ids, past_key_values, stopping_criteria, attention_mask, **more):
    """As the documentation of transformers has it."""
    new, mask = input_ids, attention_mask
    while input_ids.shape[1] < stopping_criteria[0].max_length:
        new = model(new, attention_mask=mask, past_key_values=past_key_values).logits[:, -1].argmax(-1, keepdim=True)
        input_ids, mask = torch.cat((input_ids, new), dim=1), torch.cat((mask, torch.ones_like(new)), dim=1)
    return input_ids


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"rank": 2, "repetition_penalty": 1.7, "num_return_sequences": 2, "do_sample": True, "top_k": 0},
        {"eos_token_id": [1, 2, 3, 4, 5, 6, 7], "use_cache": False, "max_time": 60.0},
    ],
)
def test_a_function_of_the_caller(pair, options):
    given = {"attention_mask": MASK, "pad_token_id": 0, "max_new_tokens": 6, "custom_generate": ranked, **options}
    ours, theirs = (model.generate(IDS, **given) for model in pair)
    assert torch.equal(ours, theirs)


def test_a_function_that_takes_the_cache(pair):
    ours, _ = pair
    given = {"attention_mask": MASK, "pad_token_id": 0, "max_new_tokens": 6}
    assert torch.equal(ours.generate(IDS, custom_generate=with_a_cache, **given), ours.generate(IDS, **given))


def test_a_published_name(pair):
    ours, _ = pair
    options = {"attention_mask": MASK, "pad_token_id": 0, "max_new_tokens": 4, "penalty_alpha": 0.6, "top_k": 3}
    named = ours.generate(
        IDS, custom_generate="transformers-community/contrastive-search", trust_remote_code=True, **options
    )
    assert torch.equal(named, ours.generate(IDS, strategy="contrastive-search", **options))


def test_refusals(pair):
    ours, _ = pair
    with pytest.raises(GenerationError, match=r"no code comes from a repository .*strategy=, or one of"):
        ours.generate(IDS, custom_generate="some/repository")
    with pytest.raises(GenerationError, match=r"is 'dola', and strategy='sampling': leave one out"):
        ours.generate(IDS, custom_generate="transformers-community/dola", strategy="sampling")
    with pytest.raises(GenerationError, match="no keyword 'rang'"):
        ours.generate(IDS, custom_generate=ranked, rang=2)
    lent = LentEncoderDecoder.random("transformers:T5ForConditionalGeneration")
    with pytest.raises(GenerationError, match="a function of yours is called with a decoder-only model's ids"):
        generate(lent, IDS, custom_generate=ranked)
    with pytest.raises(GenerationError, match=r"guidance_scale=2.0 compares .* has an encoder, leave it out"):
        generate(lent, IDS, guidance_scale=2.0)
