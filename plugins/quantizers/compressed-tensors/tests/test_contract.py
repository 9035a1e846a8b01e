"""compressed-tensors keeps the promises that every scheme keeps."""

import pytest

from modelry_testing import QuantizerContract

pytestmark = pytest.mark.filterwarnings("ignore:compressed-tensors. :modelry.errors.ModelryWarning")


def groups(**weights: object) -> dict[str, object]:
    return {"group_0": {"targets": ["Linear"], "weights": weights}}


IMPOSSIBLE = (
    {"format": "marlin-24"},
    {"format": "nvfp4-pack-quantized"},
    {"sparsity_config": {"format": "sparse-24-bitmask"}},
    {"transform_config": {"config_groups": {"u": {}}}},
    {"ignore": 3},
    {"ignore": ["re:("]},
    {"no_such_key": 1},
    {"config_groups": {}},
    {"config_groups": {"W4A16": ["Linear"]}},
    *(
        {"config_groups": groups(**weights)}
        for weights in (
            {"num_bits": 3, "group_size": 32},
            {"num_bits": 4, "group_size": 0},
            {"num_bits": 4, "group_size": -7},
            {"num_bits": 4, "strategy": "group"},
            {"num_bits": 4, "strategy": "channel", "group_size": 32},
            {"num_bits": 4, "strategy": "channel", "actorder": "group"},
            {"num_bits": 4, "strategy": "block", "block_structure": [32, 0]},
            {"num_bits": 4, "type": "float", "strategy": "channel"},
            {"num_bits": 8, "strategy": "channel", "dynamic": True},
        )
    ),
)


class TestFourBits(QuantizerContract):
    name = "compressed-tensors"
    error = 0.25
    impossible = IMPOSSIBLE


class TestZeroPoints(QuantizerContract):
    name = "compressed-tensors"
    parameters = {"config_groups": groups(num_bits=4, group_size=32, symmetric=False)}  # noqa: RUF012  only read
    error = 0.15


class TestEightBits(QuantizerContract):
    name = "compressed-tensors"
    parameters = {"config_groups": groups(num_bits=8, strategy="channel"), "format": "int-quantized"}  # noqa: RUF012  only read
    error = 0.02


class TestFloats(QuantizerContract):
    name = "compressed-tensors"
    parameters = {  # noqa: RUF012  only read
        "config_groups": groups(num_bits=8, type="float", strategy="block", block_structure=[128, 128]),
        "format": "float-quantized",
    }
    error = 0.06
