"""Sizes of images and patches."""

import pytest
from pydantic import TypeAdapter, ValidationError

from modelry.nn.image_sizes import ImageSize, as_pair, check_heads, grid_of


def test_one_number_is_a_square() -> None:
    assert as_pair(7) == (7, 7)
    assert as_pair((3, 5)) == (3, 5)


def test_a_grid_has_whole_patches_only() -> None:
    assert grid_of((17, 24), 8) == (2, 3)
    with pytest.raises(ValueError, match="4 x 24 is smaller than patch_size 8 x 8"):
        grid_of((4, 24), 8)


@pytest.mark.parametrize("wrong", [0, -1, (3,), (3, 0), "large", [1, 2, 3]])
def test_impossible_sizes_are_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ImageSize).validate_python(wrong)


def test_heads_share_the_width() -> None:
    check_heads(12, 3)
    with pytest.raises(ValueError, match="embed_dim 12 is not a multiple of num_heads 5"):
        check_heads(12, 5, names=("embed_dim", "num_heads"))
