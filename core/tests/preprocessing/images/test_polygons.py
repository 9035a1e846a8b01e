"""Outlines as masks: shapes whose pixels are known. Random ones were held against pycocotools once."""

from typing import Any

import numpy as np
import pytest

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.polygons import outlined


@pytest.mark.parametrize("turned", [False, True])
def test_a_rectangle_has_its_pixels(turned: bool) -> None:
    corners = [(2, 1), (7, 1), (7, 5), (2, 5)]
    polygon = [value for corner in (corners[::-1] if turned else corners) for value in corner]
    mask = outlined([polygon], (8, 10), "it")
    expected = np.zeros((8, 10), np.uint8)
    expected[1:5, 2:7] = 1
    assert mask.dtype == np.uint8
    assert (mask == expected).all()


def test_a_triangle_has_half_of_its_square() -> None:
    mask = outlined([[0, 0, 100, 0, 0, 100]], (100, 100), "it")
    assert mask.sum() == pytest.approx(5000, rel=0.02)
    assert mask[0, 0] == 1
    assert mask[80, 80] == 0


def test_what_reaches_beyond_the_image_is_cut() -> None:
    mask = outlined([[-10, -10, 30, -10, 30, 30, -10, 30]], (6, 5), "it")
    assert mask.all()


def test_several_polygons_are_one_thing() -> None:
    mask = outlined([[0, 0, 2, 0, 2, 2, 0, 2], [1, 1, 4, 1, 4, 4, 1, 4]], (5, 5), "it")
    assert mask.sum() == 4 + 9 - 1


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([], "a list of polygons"),
        ([[1, 2, 3, 4]], "three or more x, y"),
        ([[1, 2, 3, 4, 5, float("inf")]], "three or more x, y"),
        ({"size": [2, 3], "counts": [1, 2]}, "of 3 pixels"),
    ],
)
def test_shapes_that_are_none(shapes: Any, said: str) -> None:
    with pytest.raises(PreprocessorError, match=said):
        outlined(shapes, (2, 3), "it")
