"""int4 keeps the promises that every scheme keeps."""

from modelry_testing import QuantizerContract

IMPOSSIBLE = ({"bits": 8}, {"group_size": 48}, {"group_size": 0}, {"modules_to_not_convert": 3}, {"no_such_key": 1})


class TestGroupsOf32(QuantizerContract):
    name = "int4"
    error = 0.15
    impossible = IMPOSSIBLE


class TestGroupsOf128(QuantizerContract):
    name = "int4"
    parameters = {"group_size": 128}  # noqa: RUF012  only read
    error = 0.2
