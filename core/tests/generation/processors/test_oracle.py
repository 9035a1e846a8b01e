"""Every processor of the ecosystem gives the same scores as transformers, the independent implementation."""

import pytest
import torch
from transformers.generation import logits_process as oracle

from modelry.generation import processors as ours

ROWS, LENGTH, VOCABULARY = 4, 11, 37
ENCODER = torch.randint(0, VOCABULARY, (ROWS, 7), generator=torch.Generator().manual_seed(3))
PADDING = torch.tensor([0, 3, 1, 0])

CASES = {
    "temperature": ("TemperatureLogitsWarper", {"temperature": 0.7}),
    "top-k": ("TopKLogitsWarper", {"top_k": 5}),
    "top-k of more than there are": ("TopKLogitsWarper", {"top_k": 99}),
    "top-k keeps at least": ("TopKLogitsWarper", {"top_k": 1, "min_tokens_to_keep": 3}),
    "top-p": ("TopPLogitsWarper", {"top_p": 0.6}),
    "top-p of nothing": ("TopPLogitsWarper", {"top_p": 0.0}),
    "top-p keeps at least": ("TopPLogitsWarper", {"top_p": 0.1, "min_tokens_to_keep": 4, "filter_value": -7.0}),
    "top-h": ("TopHLogitsWarper", {"top_h": 0.4}),
    "top-h of all": ("TopHLogitsWarper", {"top_h": 1.0}),
    "min-p": ("MinPLogitsWarper", {"min_p": 0.2}),
    "min-p keeps at least": ("MinPLogitsWarper", {"min_p": 0.9, "min_tokens_to_keep": 3}),
    "typical": ("TypicalLogitsWarper", {"mass": 0.5}),
    "typical keeps at least": ("TypicalLogitsWarper", {"mass": 0.1, "min_tokens_to_keep": 3}),
    "epsilon": ("EpsilonLogitsWarper", {"epsilon": 0.03}),
    "epsilon keeps at least": ("EpsilonLogitsWarper", {"epsilon": 0.9, "min_tokens_to_keep": 2}),
    "eta": ("EtaLogitsWarper", {"epsilon": 0.05}),
    "repetition": ("RepetitionPenaltyLogitsProcessor", {"penalty": 1.3}),
    "repetition without a prompt": ("RepetitionPenaltyLogitsProcessor", {"penalty": 1.3, "prompt_ignore_length": 5}),
    "repetition without padding": (
        "RepetitionPenaltyLogitsProcessor",
        {"penalty": 1.3, "prompt_ignore_length": PADDING},
    ),
    "encoder repetition": ("EncoderRepetitionPenaltyLogitsProcessor", {"penalty": 1.5, "encoder_input_ids": ENCODER}),
    "encoder repetition of beams": (
        "EncoderRepetitionPenaltyLogitsProcessor",
        {"penalty": 1.5, "encoder_input_ids": ENCODER[:2]},
    ),
    "no 1-gram": ("NoRepeatNGramLogitsProcessor", {"ngram_size": 1}),
    "no 2-gram": ("NoRepeatNGramLogitsProcessor", {"ngram_size": 2}),
    "no 3-gram": ("NoRepeatNGramLogitsProcessor", {"ngram_size": 3}),
    "no 20-gram": ("NoRepeatNGramLogitsProcessor", {"ngram_size": 20}),
    "no encoder 2-gram": (
        "EncoderNoRepeatNGramLogitsProcessor",
        {"encoder_ngram_size": 2, "encoder_input_ids": ENCODER},
    ),
    "bias": ("SequenceBiasLogitsProcessor", {"sequence_bias": {(3,): 2.5, (1, 4): -3.0, (2, 1, 6): 9.0, (1, 5): -1.0}}),
    "bias as pairs": ("SequenceBiasLogitsProcessor", {"sequence_bias": [[[3], 2.5], [[1, 4], -3.0]]}),
    "bad words": ("NoBadWordsLogitsProcessor", {"bad_words_ids": [[3], [1, 4], [7]], "eos_token_id": [7]}),
    "minimum length": ("MinLengthLogitsProcessor", {"min_length": 12, "eos_token_id": [2, 5]}),
    "minimum length reached": ("MinLengthLogitsProcessor", {"min_length": 11, "eos_token_id": 2}),
    "minimum new": (
        "MinNewTokensLengthLogitsProcessor",
        {"prompt_length_to_skip": 8, "min_new_tokens": 4, "eos_token_id": 2},
    ),
    "forced end": ("ForcedEOSTokenLogitsProcessor", {"max_length": 12, "eos_token_id": [2, 5]}),
    "forced end later": ("ForcedEOSTokenLogitsProcessor", {"max_length": 13, "eos_token_id": 2}),
    "forced beginning passed": ("ForcedBOSTokenLogitsProcessor", {"bos_token_id": 4}),
    "decay": (
        "ExponentialDecayLengthPenalty",
        {"exponential_decay_length_penalty": (2, 1.4), "eos_token_id": [2, 5], "input_ids_seq_length": 6},
    ),
    "suppress": ("SuppressTokensLogitsProcessor", {"suppress_tokens": [1, 2, 30]}),
    "suppress at begin": ("SuppressTokensAtBeginLogitsProcessor", {"begin_suppress_tokens": [1, 2], "begin_index": 11}),
    "suppress at begin passed": (
        "SuppressTokensAtBeginLogitsProcessor",
        {"begin_suppress_tokens": [1, 2], "begin_index": 10},
    ),
    "normalization": ("LogitNormalization", {}),
    "prefix": (
        "PrefixConstrainedLogitsProcessor",
        {"prefix_allowed_tokens_fn": lambda row, ids: [row, int(ids[-1]), 9], "num_beams": 2},
    ),
}


def inputs(seed):
    """Ids of a few words only, so that n-grams repeat, and spread scores with ruled-out and equal ones."""
    random = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, 7, (ROWS, LENGTH), generator=random)
    scores = torch.randn(ROWS, VOCABULARY, generator=random) * 2.5
    scores[0, 20:30] = float("-inf")
    scores[1, 5] = scores[1, 6] = scores[1].max()
    return ids, scores


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_the_oracle(case, seed):
    name, arguments = CASES[case]
    ids, scores = inputs(seed)
    if "top-p" in case or "typical" in case:
        scores[1] += torch.linspace(0, 0.01, VOCABULARY)  # which of equals is dropped is left to the sort
    before = scores.clone()
    expected = getattr(oracle, name)(**arguments)(ids, scores.clone())
    found = getattr(ours, name)(**arguments)(ids, scores)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)
    assert torch.equal(scores, before)


@pytest.mark.parametrize("name", ["ForcedBOSTokenLogitsProcessor"])
def test_the_first_token_is_forced(name):
    ids, scores = torch.zeros(ROWS, 1, dtype=torch.long), inputs(0)[1]
    expected = getattr(oracle, name)(4)(ids, scores)
    assert torch.equal(getattr(ours, name)(4)(ids, scores), expected)


def test_numbers_that_are_none():
    scores = torch.tensor([[1.0, float("nan"), float("inf"), float("-inf")]])
    expected = oracle.InfNanRemoveLogitsProcessor()(None, scores)
    assert torch.equal(ours.InfNanRemoveLogitsProcessor()(torch.zeros(1, 1), scores), expected)


def test_batched_guidance():
    scores, ids = inputs(1)[1], torch.zeros(2, 3, dtype=torch.long)
    scores = scores.nan_to_num(neginf=-5.0)
    expected = oracle.ClassifierFreeGuidanceLogitsProcessor(1.7)(ids, scores)
    torch.testing.assert_close(ours.ClassifierFreeGuidanceLogitsProcessor(1.7)(ids, scores), expected)
    with pytest.raises(ValueError, match="twice as many"):
        ours.ClassifierFreeGuidanceLogitsProcessor(1.7)(torch.zeros(4, 3), scores)


def test_top_p_after_top_k_of_a_large_vocabulary():
    """Few candidates are sorted without the rest; the result is that of sorting all."""
    scores = torch.randn(3, 5000, generator=torch.Generator().manual_seed(0)) * 3
    ids = torch.zeros(3, 1, dtype=torch.long)
    scores = ours.TopKLogitsWarper(50)(ids, scores)
    expected = oracle.TopPLogitsWarper(0.8)(ids, scores)
    assert torch.equal(ours.TopPLogitsWarper(0.8)(ids, scores), expected)
