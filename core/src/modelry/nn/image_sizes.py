"""Sizes of images and patches as config.json has them: one number for a square, or height and width. Needs no torch."""

from typing import Annotated

from pydantic import Field

Pixels = Annotated[int, Field(gt=0)]
ImageSize = Pixels | tuple[Pixels, Pixels]
"""A square's side, or (height, width)."""


def as_pair(size: ImageSize) -> tuple[int, int]:
    """(height, width)."""
    return (size, size) if isinstance(size, int) else size


def grid_of(image: ImageSize, patch: ImageSize) -> tuple[int, int]:
    """Rows and columns of whole patches in an image.

    Raises:
        ValueError: not even one patch fits.
    """
    (height, width), (rows, columns) = as_pair(image), as_pair(patch)
    if height < rows or width < columns:
        raise ValueError(f"image_size {height} x {width} is smaller than patch_size {rows} x {columns}")
    return height // rows, width // columns


def check_heads(
    hidden_size: int, heads: int, *, names: tuple[str, str] = ("hidden_size", "num_attention_heads")
) -> None:
    """Refuse a width that attention heads cannot share.

    Raises:
        ValueError: hidden_size is not a multiple of heads.
    """
    if hidden_size % heads:
        raise ValueError(f"{names[0]} {hidden_size} is not a multiple of {names[1]} {heads}")
