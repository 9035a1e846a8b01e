"""Masks as COCO's run lengths. The texts are those of pycocotools, which agreed on 400 random masks once."""

from typing import Any

import numpy as np
import pytest

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.polygons import outlined
from modelry.preprocessing.images.run_lengths import mask_of, runs_of


def drawn(height: int, width: int, *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """Boxes (top, left, bottom, right), one over the other: inside, outside, inside …"""
    mask = np.zeros((height, width), np.uint8)
    for number, (top, left, bottom, right) in enumerate(boxes):
        mask[top:bottom, left:right] = 1 - number % 2
    return mask


TEXTS = [
    (drawn(7, 9, (2, 3, 5, 8)) | drawn(7, 9, (0, 0, 1, 1)), "01f02^O00000005"),
    (drawn(480, 640, (100, 50, 400, 54), (200, 51, 210, 52)), "Tag0\\9d5hIfJj2Z5^300lbb8"),
    (drawn(2, 3), "6"),
    (drawn(2, 3, (0, 0, 2, 3)), "06"),
]


@pytest.mark.parametrize(("mask", "text"), TEXTS)
def test_the_text_of_a_mask(mask: np.ndarray, text: str) -> None:
    assert runs_of(mask) == {"size": list(mask.shape), "counts": text}
    for counts in (text, text.encode()):
        found = mask_of({"size": list(mask.shape), "counts": counts}, mask.shape[:2], "it")
        assert found.dtype == np.uint8
        assert (found == mask).all()
    assert (outlined({"size": list(mask.shape), "counts": text}, mask.shape[:2], "it") == mask).all()


def test_every_mask_comes_back() -> None:
    random = np.random.default_rng(0)
    for share in (0.0, 0.02, 0.5, 0.98, 1.0):
        mask = random.random((23, 40)) < share
        assert (mask_of(runs_of(mask), (23, 40), "it") == mask).all()


def test_numbers_go_column_by_column() -> None:
    mask = mask_of({"size": [2, 3], "counts": [1, 2, 3]}, (2, 3), "it")
    assert mask.tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ({"size": [2, 3], "counts": [1, 2]}, "of 3 pixels"),
        ({"size": [2, 3], "counts": "61"}, "of 7 pixels"),
        ({"size": [3, 2], "counts": "6"}, "the image is"),
        ({"size": [2, 3], "counts": "a b"}, "no run lengths: ' ' stands in them"),
        ({"size": [2, 3], "counts": "oooooooooooooooooooo"}, "no run lengths: 'o' stands in them"),
        ({"size": [2, 3], "counts": "6T"}, "end inside of a number: they were cut off"),
        ({"size": [2, 3], "counts": [7, -1]}, "as a list or a text, are needed"),
        ({"size": [2, 3]}, "has the counts None"),
    ],
)
def test_what_is_none(runs: Any, said: str) -> None:
    with pytest.raises(PreprocessorError, match=said):
        mask_of(runs, (2, 3), "annotations[0]")
