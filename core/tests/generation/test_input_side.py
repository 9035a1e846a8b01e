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
