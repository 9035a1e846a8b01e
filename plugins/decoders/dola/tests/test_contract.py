"""DoLa keeps the contract of decoding strategies."""

from modelry_testing import DecoderContract


class TestDola(DecoderContract):
    name = "dola"
    parameters = {"dola_layers": "low"}  # noqa: RUF012  only read
    impossible = (
        {"dola_layers": "middle"},
        {"dola_layers": []},
        {"dola_layers": [-1]},
        {"dola_layers": [0, 99]},
        {"num_beams": 2},
        {"num_return_sequences": 2},
    )


class TestDolaSampling(DecoderContract):
    name = "dola"
    parameters = {"dola_layers": "high", "do_sample": True, "temperature": 2.0}  # noqa: RUF012  only read
    draws = True
    impossible = ({"num_return_sequences": 10**12},)
