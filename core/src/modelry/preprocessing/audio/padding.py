"""Waveforms of different lengths as rows of one length, by the ecosystem's padding and truncation arguments.

T samples of one row
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.audio.resampling import Samples

Padding = bool | Literal["longest", "max_length", "do_not_pad"]


class Row(NamedTuple):
    """One sound of a batch, padded."""

    samples: Samples
    real: slice
    """Where the sound is in it."""

    @property
    def mask(self) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
        """1 for samples of the sound, 0 for padding."""
        mask = np.zeros(len(self.samples), dtype=np.int32)
        mask[self.real] = 1
        return mask


def pad_sounds(
    sounds: Sequence[Samples],
    *,
    padding: Padding,
    max_length: int | None,
    truncation: bool,
    pad_to_multiple_of: int | None,
    value: float,
    side: Literal["right", "left"],
) -> list[Row]:
    """Cut and fill.

    Args:
        padding: True and "longest" fill up to the longest row, "max_length" to max_length.
        truncation: cut at the end what is longer than max_length.
        pad_to_multiple_of: lengths that are filled or cut to become multiples of it, rounded up.

    Raises:
        PreprocessorError: max_length is needed and not given, or an argument is impossible.
    """
    check_padding(padding, max_length=max_length, truncation=truncation, pad_to_multiple_of=pad_to_multiple_of)
    most = _rounded(max_length, pad_to_multiple_of)
    if truncation:
        sounds = [one[:most] for one in sounds]
    if padding in (False, "do_not_pad"):
        return [Row(one, slice(0, len(one))) for one in sounds]
    width = most if padding == "max_length" else _rounded(max(map(len, sounds)), pad_to_multiple_of)
    assert width is not None
    return [_filled(one, width, value, side) for one in sounds]


def check_padding(padding: object, *, max_length: int | None, truncation: bool, pad_to_multiple_of: int | None) -> None:
    """
    Raises:
        PreprocessorError: the arguments do not go together; says which.
    """
    if padding not in (True, False, "longest", "max_length", "do_not_pad"):
        raise PreprocessorError(f"padding is {padding!r}; use True, 'longest', 'max_length', False or 'do_not_pad'")
    if max_length is None and (truncation or padding == "max_length"):
        wanting = "truncation=True" if truncation else "padding='max_length'"
        raise PreprocessorError(f"{wanting} needs a max_length, in samples")
    for name, number in (("max_length", max_length), ("pad_to_multiple_of", pad_to_multiple_of)):
        if number is not None and (not isinstance(number, int) or number < 1):
            raise PreprocessorError(f"{name} is {number!r}; a whole number of at least 1 is needed")


def _rounded(length: int | None, multiple: int | None) -> int | None:
    return length if length is None or multiple is None else -(-length // multiple) * multiple


def _filled(sound: Samples, width: int, value: float, side: str) -> Row:
    missing = max(0, width - len(sound))
    if not missing:
        return Row(sound, slice(0, len(sound)))
    samples = np.full(width, value, dtype=sound.dtype)
    real = slice(missing, width) if side == "left" else slice(0, len(sound))
    samples[real] = sound
    return Row(samples, real)
