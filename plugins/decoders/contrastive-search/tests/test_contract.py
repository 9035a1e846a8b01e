"""Contrastive search keeps the contract of decoding strategies."""

from modelry_testing import DecoderContract


class TestContrastiveSearch(DecoderContract):
    name = "contrastive-search"
    parameters = {"penalty_alpha": 0.2, "top_k": 3}  # noqa: RUF012  only read
    follows_greedy = {"penalty_alpha": 0.0}  # noqa: RUF012  only read
    impossible = (
        {"penalty_alpha": -0.1},
        {"penalty_alpha": 1.1},
        {"penalty_alpha": float("nan")},
        {"top_k": 1},
        {"top_k": 8},
        {"do_sample": True},
        {"num_beams": 2},
        {"num_return_sequences": 2},
    )
