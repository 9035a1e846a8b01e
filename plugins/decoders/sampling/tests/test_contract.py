"""Sampling keeps the contract of decoding strategies."""

from modelry_testing import DecoderContract


class TestGreedy(DecoderContract):
    name = "sampling"
    follows_greedy = {}  # noqa: RUF012  only read


class TestSampling(DecoderContract):
    name = "sampling"
    parameters = {"do_sample": True}  # noqa: RUF012  only read
    draws = True
    impossible = ({"num_return_sequences": 10**12}, {"temperature": -1.0}, {"top_p": 2.0}, {"num_beams": 2})
