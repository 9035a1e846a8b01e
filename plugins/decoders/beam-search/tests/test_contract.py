"""Beam search keeps the contract of decoding strategies."""

from modelry_testing import DecoderContract


class TestBeamSearch(DecoderContract):
    name = "beam-search"
    parameters = {"num_beams": 3}  # noqa: RUF012  only read
    finds_best = {"num_beams": 400}  # noqa: RUF012  only read
    impossible = ({"num_return_sequences": 4}, {"num_beams": 0}, {"num_beams": 10**6}, {"length_penalty": float("nan")})


class TestBeamSampling(DecoderContract):
    name = "beam-search"
    parameters = {"num_beams": 3, "do_sample": True}  # noqa: RUF012  only read
    draws = True
