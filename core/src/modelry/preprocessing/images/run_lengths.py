"""COCO's run lengths of masks: how many pixels are outside, inside, outside … column by column, in numbers or in text.

In text a number is written five bits a character, the lowest first, as the difference to the last but one number.
H, W height and width   https://cocodataset.org/#format-data
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError

_FIRST, _BITS, _SIGN, _MORE = 48, 5, 0x10, 0x20
_LONGEST = 60
"""Bits of a number; no image has so many pixels."""


def mask_of(runs: Mapping[str, Any], extent: tuple[int, int], name: str) -> np.ndarray:
    """The mask (H, W) uint8 of run lengths.

    Args:
        runs: "size", height and width; "counts", numbers, or their text as str or bytes.
        extent: height and width of the image.

    Raises:
        PreprocessorError: they are no run lengths, or those of another image; names it.
    """
    size, counts = runs.get("size"), runs.get("counts")
    if isinstance(counts, str | bytes):
        counts = numbers_of(counts, name)
    if not isinstance(counts, Sequence) or not all(isinstance(one, int | np.integer) and one >= 0 for one in counts):
        raise PreprocessorError(f"{name} has the counts {counts!r:.60}: run lengths, as a list or a text, are needed")
    if list(size or ()) != list(extent) or sum(counts) != extent[0] * extent[1]:
        raise PreprocessorError(f"{name} has run lengths for {size}, of {sum(counts)} pixels; the image is {extent}")
    inside = np.repeat(np.arange(len(counts)) % 2, counts)
    found: np.ndarray = inside.reshape(extent[::-1]).T.astype(np.uint8)
    return found


def runs_of(mask: Any) -> dict[str, Any]:
    """Run lengths of what is not 0 in a mask (H, W), as COCO's files have them: {"size", "counts"}, counts as text."""
    flat = np.asarray(mask).astype(bool).T.flatten()
    borders = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff([0, *borders, len(flat)]).tolist() if len(flat) else []
    if len(flat) and flat[0]:
        counts.insert(0, 0)
    return {"size": list(np.shape(mask)), "counts": text_of(counts)}


def numbers_of(text: str | bytes, name: str) -> list[int]:
    """The numbers that a text stands for.

    Raises:
        PreprocessorError: it has other characters, or ends inside of a number.
    """
    found: list[int] = []
    value = shift = 0
    for character in text.encode() if isinstance(text, str) else text:
        bits = character - _FIRST
        if not 0 <= bits < 2 * _MORE or shift > _LONGEST:
            raise PreprocessorError(f"{name} has counts that are no run lengths: {chr(character)!r} stands in them")
        value |= (bits & (_MORE - 1)) << shift
        shift += _BITS
        if bits & _MORE:
            continue
        if bits & _SIGN:
            value -= 1 << shift
        found.append(value + found[-2] if len(found) > 2 else value)
        value = shift = 0
    if shift:
        raise PreprocessorError(f"{name} has counts that end inside of a number: they were cut off")
    return found


def text_of(numbers: Sequence[int]) -> str:
    """The text that stands for numbers."""
    characters = []
    for place, number in enumerate(numbers):
        value, more = number - numbers[place - 2] if place > 2 else number, True
        while more:
            bits, value = value & (_MORE - 1), value >> _BITS
            more = value != (-1 if bits & _SIGN else 0)
            characters.append(chr(_FIRST + bits + (_MORE if more else 0)))
    return "".join(characters)
