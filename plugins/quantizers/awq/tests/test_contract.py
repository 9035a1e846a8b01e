"""awq keeps the promises that every scheme keeps."""

from modelry_testing import QuantizerContract


class TestAwq(QuantizerContract):
    name = "awq"
    error = 0.2
    impossible = ({"bits": 3}, {"group_size": 0}, {"version": "gemv_fast"}, {"modules_to_not_convert": 3})
