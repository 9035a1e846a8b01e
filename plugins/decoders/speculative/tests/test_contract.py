"""Speculative decoding keeps the contract of decoding strategies."""

from modelry_testing import DecoderContract


class TestPromptLookup(DecoderContract):
    name = "speculative"
    parameters = {"prompt_lookup_num_tokens": 3}  # noqa: RUF012  only read
    follows_greedy = {}  # noqa: RUF012  only read
    impossible = (
        {"prompt_lookup_num_tokens": 0},
        {"max_matching_ngram_size": 0},
        {"max_matching_ngram_size": 10**6},
        {"num_assistant_tokens": 0},
        {"num_assistant_tokens": -1},
        {"assistant_confidence_threshold": float("nan")},
        {"assistant_early_exit": 99},
        {"num_return_sequences": -2},
    )


class TestSampled(DecoderContract):
    name = "speculative"
    parameters = {"prompt_lookup_num_tokens": 3, "do_sample": True}  # noqa: RUF012  only read
    draws = True
    impossible = ({"num_return_sequences": 10**12},)
