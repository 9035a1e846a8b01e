"""Embedded prompts: the same text as from ids, whether the model remembers anything or not."""

import pytest
import torch

from modelry.generation import generate

pytestmark = pytest.mark.usefixtures("plain_strategy")

PROMPT = torch.tensor([[3, 4, 5]])


@pytest.mark.parametrize("use_cache", [True, False])
def test_embeddings_are_read_with_and_without_a_cache(toy, use_cache):
    embeds = toy.tokens(PROMPT).detach()
    found = generate(toy, inputs_embeds=embeds, strategy="toy-strategy", max_new_tokens=6, use_cache=use_cache)
    assert found.tolist() == [toy.greedy([3, 4, 5], 6)[3:]]


def test_the_smallest_length_counts_them(make_toy):
    toy = make_toy()
    options = {"strategy": "toy-strategy", "max_new_tokens": 6, "eos_token_id": toy.greedy([3, 4, 5], 1)[-1]}
    from_ids = generate(toy, PROMPT, min_length=5, **options)
    embedded = generate(toy, inputs_embeds=toy.tokens(PROMPT).detach(), min_length=5, **options)
    assert embedded.tolist() == from_ids[:, 3:].tolist()


@pytest.mark.parametrize("new_alone", [False, True])
def test_a_cache_holds_the_beginning_of_embeddings_as_of_ids(toy, new_alone):
    """With a mask over what is old and what is new, they are the new part alone."""
    cache, embeds = toy.make_cache(), toy.tokens(PROMPT).detach()
    toy(PROMPT[:, :2], position_ids=torch.arange(2)[None], past_key_values=cache)
    given = (
        {"inputs_embeds": embeds[:, 2:], "attention_mask": torch.ones(1, 3)} if new_alone else {"inputs_embeds": embeds}
    )
    found = generate(toy, **given, past_key_values=cache, strategy="toy-strategy", max_new_tokens=6)
    assert found.tolist() == [toy.greedy([3, 4, 5], 6)[3:]]
    assert cache.seen == 8


@pytest.mark.parametrize("given", ["ids", "embeddings", "the rest of a conversation"])
def test_padding_is_no_repetition(toy, given):
    """The padding is the token that comes first, were it not made unlikely."""
    first = toy.greedy([3, 4, 5], 1)[-1]
    options = {"strategy": "toy-strategy", "max_new_tokens": 6, "pad_token_id": first, "repetition_penalty": 5.0}
    found = []
    for padding in (0, 2):
        ids = torch.cat((torch.full((1, padding), first), PROMPT), dim=1)
        mask = torch.tensor([[0] * padding + [1, 1, 1]])
        arguments = {"inputs": ids, "attention_mask": mask}
        if given == "embeddings":
            arguments["inputs"], arguments["inputs_embeds"] = None, toy.tokens(ids).detach()
        elif given == "the rest of a conversation":
            cache, places = toy.make_cache(), torch.zeros(1, padding + 1, dtype=torch.long)
            toy(ids[:, :-2], attention_mask=mask[:, :-2], position_ids=places, past_key_values=cache)
            arguments |= {"inputs": ids[:, -2:], "past_key_values": cache}
        found.append(generate(toy, **arguments, **options)[:, -6:].tolist())
    assert found[0] == found[1]
