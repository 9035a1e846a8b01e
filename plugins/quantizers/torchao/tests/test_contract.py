"""torchao keeps the promises that every scheme keeps."""

from modelry_testing import QuantizerContract

IMPOSSIBLE = (
    {"quant_type": "int5_weight_only"},
    {"quant_type": {"other": 1}},
    {"quant_type_kwargs": 3},
    {"include_input_output_embeddings": True},
    {"modules_to_not_convert": 3},
    {"no_such_key": 1},
)


class TestInt8(QuantizerContract):
    name = "torchao"
    parameters = {"quant_type": "int8_weight_only"}  # noqa: RUF012  only read
    error = 0.03
    impossible = IMPOSSIBLE


class TestInt8Inputs(QuantizerContract):
    name = "torchao"
    parameters = {"quant_type": "int8_dynamic_activation_int8_weight"}  # noqa: RUF012  only read
    error = 0.06


class TestWrittenByTorchAo(QuantizerContract):
    name = "torchao"
    parameters = {"quant_type": {"default": {"_type": "Int8WeightOnlyConfig", "_version": 2, "_data": {}}}}  # noqa: RUF012  only read
    error = 0.03
