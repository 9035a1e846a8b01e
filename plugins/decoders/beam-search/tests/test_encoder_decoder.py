"""Beam search over an encoder-decoder model: a tiny random T5 of transformers, driven by both."""

import pytest
import torch

from modelry.generation import generate
from modelry_testing.decoding.lent import LentEncoderDecoder

IDS = torch.tensor([[5, 9, 3, 4], [6, 2, 1, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


@pytest.fixture(scope="module")
def lent():
    return LentEncoderDecoder.random("transformers:T5ForConditionalGeneration")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("early_stopping", [True, False, "never"])
def test_same_texts_and_scores(lent, seed, early_stopping):
    ids = (IDS + seed) % 12
    options = {
        "num_beams": 4, "num_return_sequences": 2, "max_new_tokens": 8, "eos_token_id": [1, 4], "pad_token_id": 3,
        "early_stopping": early_stopping, "length_penalty": 0.7, "return_dict_in_generate": True,
        "output_scores": True,
    }  # fmt: skip
    theirs = lent.lent.generate(ids, attention_mask=MASK, use_cache=False, **options)
    ours = generate(lent, ids, attention_mask=MASK, use_cache=False, **options)
    assert ours.sequences.tolist() == theirs.sequences.tolist()
    assert ours.beam_indices.tolist() == theirs.beam_indices.tolist()
    torch.testing.assert_close(ours.sequences_scores, theirs.sequences_scores, rtol=1e-4, atol=1e-5)
