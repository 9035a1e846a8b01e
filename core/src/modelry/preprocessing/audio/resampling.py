"""Other sampling rates, by soxr at its high quality, in blocks so that length costs no memory."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelry.errors import PreprocessorError
from modelry.preprocessing.audio.decoding import INSTALL

Samples = NDArray[np.float32]
QUALITY = "HQ"
LEAST, MOST = 100, 10_000_000
"""Sampling rates in Hz outside of which somebody has mistaken the number."""


def check_rate(rate: Any, *, name: str) -> int:
    """
    Raises:
        PreprocessorError: it is no sampling rate.
    """
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.integer | np.floating) or rate != int(rate):
        raise PreprocessorError(f"{name}: sampling_rate is {rate!r}; a whole number of Hz is needed")
    if not LEAST <= rate <= MOST:
        raise PreprocessorError(f"{name}: sampling_rate {int(rate)} Hz is impossible: from {LEAST} to {MOST} is read")
    return int(rate)


def resample(blocks: Iterable[Samples], *, rate: int, wanted: int) -> Iterator[Samples]:
    """Yield blocks (N,) at `wanted` Hz from blocks at `rate` Hz.

    Raises:
        PreprocessorError: the rates differ, and soxr is not installed.
    """
    if rate == wanted:
        yield from blocks
        return
    try:
        import soxr  # type: ignore[import-untyped]  # it has no types
    except ImportError as error:
        raise PreprocessorError(
            f"the sound has {rate} Hz and the model wants {wanted} Hz: resampling needs soxr, which is not "
            f"installed: {INSTALL}"
        ) from error
    stream = soxr.ResampleStream(rate, wanted, 1, dtype="float32", quality=QUALITY)
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
