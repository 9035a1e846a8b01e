"""Diverse beam search keeps the contract of decoding strategies."""

from modelry_testing import DecoderContract


class TestDiverseBeamSearch(DecoderContract):
    name = "diverse-beam-search"
    parameters = {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5}  # noqa: RUF012  only read
    finds_best = {"num_beams": 800}  # noqa: RUF012  only read
    impossible = (
        {"num_beam_groups": 3},
        {"num_beams": 10**6, "num_beam_groups": 10**6},
        {"num_beams": 10**6},
        {"diversity_penalty": 0.0},
        {"diversity_penalty": -1.0},
        {"do_sample": True},
    )
