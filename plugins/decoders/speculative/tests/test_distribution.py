"""Sampled texts follow the model's distribution whatever drafts them: chi-square on Markov chains, seeds fixed."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from modelry.cache import Cache, GrowingLayerCache
from modelry.generation import GenerationConfig, generate
from modelry.outputs import CausalLMOutputWithPast

WORDS = 4
LONG = 4


class Chain(nn.Module):
    """A Markov chain: the distribution of every text is known."""

    device = torch.device("cpu")

    def __init__(self, seed):
        super().__init__()
        self.config = SimpleNamespace(model_type="chain", vocab_size=WORDS, is_encoder_decoder=False)
        self.config.get_text_config = lambda: self.config
        self.generation_config = GenerationConfig(pad_token_id=0)
        self.embedding = nn.Embedding(WORDS, 2)
        random = torch.Generator().manual_seed(seed)
        self.table = (1.2 * torch.randn(WORDS, WORDS, generator=random)).softmax(-1)

    def can_generate(self):
        return True

    def get_input_embeddings(self):
        return self.embedding

    def make_cache(self, *, kind="dynamic"):
        return Cache([GrowingLayerCache()])

    def forward(self, input_ids=None, past_key_values=None, logits_to_keep=0, **_):
        keys = torch.zeros(*input_ids.shape, 1)[:, None]
        for layer in past_key_values.layers:
            layer.extend(keys, keys)
        past_key_values.advance(input_ids.shape[1])
        return CausalLMOutputWithPast(logits=self.table.log()[input_ids[:, -logits_to_keep:]])


def surprise(texts, table):
    """Chi-square statistic of texts (N, 1 + LONG) against the chain, and its degrees of freedom."""
    everything = torch.cartesian_prod(*[torch.arange(WORDS)] * LONG)
    path = torch.cat((texts[:1, :1].expand(len(everything), 1), everything), dim=1)
    expected = table[path[:, :-1], path[:, 1:]].double().prod(dim=1) * len(texts)
    places = WORDS ** torch.arange(LONG - 1, -1, -1)
    seen = (texts[:, 1:] * places).sum(dim=1).bincount(minlength=len(everything))
    rare = expected < 5
    kept, counts = expected[~rare], seen[~rare].double()
    if rare.any():
        kept = torch.cat((kept, expected[rare].sum()[None]))
        counts = torch.cat((counts, seen[rare].sum()[None].double()))
    return float(((counts - kept) ** 2 / kept).sum()), len(kept) - 1


DRAFTS = {
    "lookup": {"prompt_lookup_num_tokens": 3, "max_matching_ngram_size": 1},
    "model": {"num_assistant_tokens": 3, "assistant_confidence_threshold": 0.0},
    "unsure model": {"num_assistant_tokens": 3, "assistant_confidence_threshold": 0.4},
}


@pytest.mark.parametrize("shaped", [False, True])
@pytest.mark.parametrize("name", DRAFTS)
def test_texts_follow_the_model(name, shaped):
    """Rows of one batch get far apart, so this is also the test that they are drawn independently. Without processors
    all positions are checked at once, with them (a temperature) one after the other.
    """
    chain, temperature = Chain(0), 0.8 if shaped else 1.0
    options = dict(DRAFTS[name])
    if "num_assistant_tokens" in options:
        options["assistant_model"] = Chain(1)
    found = generate(
        chain, [[2]], do_sample=True, top_k=0, num_return_sequences=2500, max_new_tokens=LONG, seed=3,
        temperature=temperature, return_dict_in_generate=True, **options,
    )  # fmt: skip
    table = (chain.table.log() / temperature).softmax(-1)
    statistic, degrees = surprise(found.sequences, table)
    assert degrees > 50
    assert statistic < degrees + 3.1 * (2 * degrees) ** 0.5
    assert 0.2 < found.statistics["acceptance_rate"] < 0.8
    wrong, _ = surprise(found.sequences, Chain(1).table)
    assert wrong > 4 * degrees  # the statistic tells the draft's distribution from the model's


def test_a_draft_of_the_same_distribution_is_always_accepted():
    found = generate(
        Chain(0), [[2]], do_sample=True, top_k=0, num_return_sequences=50, max_new_tokens=20, seed=0,
        assistant_model=Chain(0), return_dict_in_generate=True,
    )  # fmt: skip
    assert found.statistics["acceptance_rate"] == 1.0
