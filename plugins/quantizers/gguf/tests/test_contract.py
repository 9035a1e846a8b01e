"""gguf keeps the promises that every scheme keeps, for float checkpoints too."""

from modelry_testing import QuantizerContract

IMPOSSIBLE = ({"weight_type": "Q5_K"}, {"other_types": {"lm_head": "F16"}}, {"modules_to_not_convert": 3}, {"no": 1})


class TestQ4(QuantizerContract):
    name = "gguf"
    parameters = {"weight_type": "Q4_0"}  # noqa: RUF012  only read
    error = 0.2
    impossible = IMPOSSIBLE


class TestQ8(QuantizerContract):
    name = "gguf"
    parameters = {"weight_type": "Q8_0"}  # noqa: RUF012  only read
    error = 0.02
