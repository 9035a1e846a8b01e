"""fp8 keeps the promises that every scheme keeps."""

import pytest

from modelry_testing import QuantizerContract

pytestmark = pytest.mark.filterwarnings("ignore:fp8. .* made whole:modelry.errors.ModelryWarning")
IMPOSSIBLE = (
    {"weight_block_size": [128]},
    {"weight_block_size": [0, 128]},
    {"weight_block_size": 128},
    {"fmt": "e5m2"},
    {"activation_scheme": "sometimes"},
    {"no_such_key": 1},
)


class TestRows(QuantizerContract):
    name = "fp8"
    error = 0.06
    impossible = IMPOSSIBLE


class TestBlocks(QuantizerContract):
    name = "fp8"
    parameters = {"weight_block_size": [128, 128]}  # noqa: RUF012  only read
    error = 0.06
