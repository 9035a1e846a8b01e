"""int8 keeps the promises that every scheme keeps."""

from modelry_testing import QuantizerContract


class TestInt8(QuantizerContract):
    name = "int8"
    error = 0.02
    impossible = ({"bits": 4}, {"modules_to_not_convert": 3}, {"no_such_key": 1})
