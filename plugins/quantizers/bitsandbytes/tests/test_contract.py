"""bitsandbytes keeps the promises that every scheme keeps."""

from modelry_testing import QuantizerContract

IMPOSSIBLE = (
    {"load_in_4bit": True, "load_in_8bit": True},
    {"bnb_4bit_quant_type": "nf5"},
    {"bnb_4bit_quant_storage": "float32"},
    {"llm_int8_threshold": -1.0},
    {"llm_int8_has_fp16_weight": True},
    {"llm_int8_skip_modules": 3},
    {"no_such_key": 1},
)


class TestNf4(QuantizerContract):
    name = "bitsandbytes"
    parameters = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}  # noqa: RUF012  only read
    error = 0.2
    impossible = IMPOSSIBLE


class TestFp4(QuantizerContract):
    name = "bitsandbytes"
    parameters = {"load_in_4bit": True}  # noqa: RUF012  only read
    error = 0.25


class TestInt8(QuantizerContract):
    name = "bitsandbytes"
    parameters = {"load_in_8bit": True}  # noqa: RUF012  only read
    error = 0.03
