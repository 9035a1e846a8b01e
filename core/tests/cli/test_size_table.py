"""Sizes and errors as rows."""

import pytest

from modelry.cli.size_table import as_json, as_text, grouped, readable, total
from modelry.packed.measuring import PackedTensor

SEEN = [
    PackedTensor("model.layers.0.up", 1000, 300, 9.0, 0.09),
    PackedTensor("model.layers.0.down", 500, 250, 16.0, 0.16),
    PackedTensor("model.layers.10.up", 1000, 300, 16.0, 0.16),
]


def test_layers_of_one_name_are_one_row() -> None:
    up, down = grouped(SEEN)
    assert (up.layers, up.count, up.bytes_before, up.bytes_after) == ("model.layers.*.up", 2, 2000, 600)
    assert up.relative_error == pytest.approx((0.25 / 25) ** 0.5)
    assert (down.layers, down.count) == ("model.layers.*.down", 1)
    whole = total(SEEN, unpacked=7)
    assert (whole.count, whole.bytes_before, whole.bytes_after) == (3, 2507, 857)
    assert whole.relative_error == pytest.approx(0.1)


def test_an_unknown_error_is_not_made_up() -> None:
    (row,) = grouped([SEEN[0], PackedTensor("model.layers.1.up", 1000, 300, None, None)])
    assert row.relative_error is None
    (row,) = grouped([PackedTensor("zero", 10, 5, 0.0, 0.0)])
    assert row.relative_error == 0


def test_the_table() -> None:
    rows, whole = grouped(SEEN), total(SEEN, unpacked=1_000_000)
    assert as_text(rows, unpacked=1_000_000, whole=whole).splitlines() == [
        "layers               count  before   after   error",
        "model.layers.*.up        2  2.0 kB   600 B  10.00%",
        "model.layers.*.down      1   500 B   250 B  10.00%",
        "not packed                  1.0 MB  1.0 MB",
        "total                    3  1.0 MB  1.0 MB  10.00%",
    ]
    values = as_json(rows, unpacked=1_000_000, whole=whole)
    assert values["groups"][1]["layers"] == "model.layers.*.down"
    assert values["total"]["bytes_after"] == 1_000_850


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (5 * 10**12, "5.0 TB")])
def test_readable(size: int, text: str) -> None:
    assert readable(size) == text
