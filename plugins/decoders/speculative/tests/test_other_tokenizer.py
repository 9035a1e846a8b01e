"""A draft by way of the text: a model of letters drafts for a model of syllables, and the text stays the model's."""

import pytest
import tokenizers
import torch

from modelry import Tokenizer
from modelry.errors import GenerationError

LETTERS = "abcdefgh"


def built(vocabulary):
    """Reads the longest words first; every word stands for itself."""
    core = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[], fuse_unk=False))
    core.decoder = tokenizers.decoders.Fuse()
    return core


@pytest.fixture(scope="module")
def letters():
    core = built({letter: number for number, letter in enumerate(LETTERS)})
    return Tokenizer(core)


@pytest.fixture(scope="module")
def syllables():
    pairs = [(first, second) for first in "abcd" for second in "efgh"]
    vocabulary = {letter: number for number, letter in enumerate(LETTERS)}
    vocabulary |= {first + second: len(LETTERS) + number for number, (first, second) in enumerate(pairs)}
    core = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=pairs))
    core.decoder = tokenizers.decoders.Fuse()
    return Tokenizer(core)


def test_same_as_greedy(llama, prompts, letters, syllables):
    drafting = {"tokenizer": syllables, "assistant_tokenizer": letters, "num_assistant_tokens": 4}
    for seed in range(4):
        ids, mask = prompts(seed)
        model, other = llama(seed), llama(seed + 1, vocabulary=8)
        plain = model.generate(ids, attention_mask=mask, max_new_tokens=16, pad_token_id=0)
        found = model.generate(
            ids, attention_mask=mask, max_new_tokens=16, pad_token_id=0, assistant_model=other,
            return_dict_in_generate=True, **drafting,
        )  # fmt: skip
        assert found.sequences.tolist() == plain.tolist()
        assert found.statistics["drafted"] > 0
        assert found.statistics["passes"] <= 15


def test_a_good_draft_is_accepted(llama, letters, syllables):
    """The same model with the letters in reverse order of ids: its drafts, by way of the text, are right."""
    model = llama(11, vocabulary=8)
    order = torch.arange(7, -1, -1)
    other = type(model)(model.config)
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        other.eval().model.embed_tokens.weight.copy_(model.model.embed_tokens.weight[order])
        other.lm_head.weight.copy_(model.lm_head.weight[order])
    backwards = Tokenizer(built({letter: 7 - number for number, letter in enumerate(LETTERS)}))
    ids = torch.tensor([[0, 3, 5, 1]])
    found = model.generate(
        ids, max_new_tokens=21, assistant_model=other, tokenizer=letters, assistant_tokenizer=backwards,
        num_assistant_tokens=4, return_dict_in_generate=True,
    )  # fmt: skip
    assert found.sequences.tolist() == model.generate(ids, max_new_tokens=21).tolist()
    assert found.statistics["acceptance_rate"] == 1.0
    assert found.statistics["passes"] == 4


def test_equal_tokenizers_draft_ids(llama, letters):
    model = llama(11, vocabulary=8)
    found = model.generate(
        torch.tensor([[0, 3, 5, 1]]), max_new_tokens=11, assistant_model=model, tokenizer=letters,
        assistant_tokenizer=letters, assistant_confidence_threshold=0.0, num_assistant_tokens=4,
        return_dict_in_generate=True,
    )  # fmt: skip
    assert found.statistics["passes"] == 2


def test_a_draft_model_that_cannot_forget(llama, letters, syllables):
    other = llama(2, vocabulary=8)
    cache = other.make_cache()
    cache.layers[0].can_rollback = False
    other.__dict__["make_cache"] = lambda: cache
    try:
        with pytest.raises(GenerationError, match="cannot forget a rejected draft"):
            llama(2).generate(
                torch.tensor([[1, 2]]), assistant_model=other, tokenizer=syllables, assistant_tokenizer=letters
            )
    finally:
        del other.__dict__["make_cache"]


def test_sampled_drafts_by_text(llama, letters, syllables):
    options = {"assistant_model": llama(1, vocabulary=8), "tokenizer": syllables, "assistant_tokenizer": letters}
    found = [
        llama(0).generate(torch.tensor([[1, 2, 9]]), do_sample=True, seed=seed, max_new_tokens=8, **options).tolist()
        for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]
