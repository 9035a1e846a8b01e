"""Constrained beam search keeps the contract of decoding strategies: here under a demand that any text meets."""

from modelry_testing import DecoderContract


class TestConstrainedBeamSearch(DecoderContract):
    name = "constrained-beam-search"
    parameters = {"num_beams": 3, "force_words_ids": [[[token] for token in range(7)]]}  # noqa: RUF012  only read
    finds_best = {"num_beams": 400}  # noqa: RUF012  only read
    impossible = (
        {"force_words_ids": [[1, 2, 3]]},  # three tokens, and room for two
        {"force_words_ids": [[]]},
        {"force_words_ids": [[700]]},
        {"force_words_ids": []},
        {"num_return_sequences": 4},
        {"num_beams": 10**6},
        {"do_sample": True},
    )
