"""What a user calls a sound, as a mono waveform at a model's sampling rate.

A sound is one of
    a path, or an http(s) address                       of a file in any format that libsndfile or FFmpeg reads
    bytes                                               the content of such a file
    an array or tensor (T,), or a list of numbers       at the rate that the caller says, else at the model's
    {"array": …, "sampling_rate": …}                    the same with its own rate; (T, C) or (C, T) is mixed to mono
    {"path": …} and {"bytes": …}                        as a data set holds undecoded files; the bytes come first
    {"raw": bytes, "sampling_rate": …}                  PCM without a header: "format" s16le (default), s32le, u8 or
                                                        f32le, "channels" 1 (default) or more, interleaved
    {"raw": array, "sampling_rate": …}                  as "array"
Whole numbers are PCM and become -1 to 1; floating-point numbers are taken as they are.

T samples of the whole sound   N samples of a block   C channels
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelry.errors import ModelryError, PreprocessorError
from modelry.fetching import fetch, is_url
from modelry.preprocessing.audio.decoding import Block, decode
from modelry.preprocessing.audio.resampling import Samples, check_rate, resample

PCM = {"s16le": "<i2", "s32le": "<i4", "u8": "u1", "f32le": "<f4"}
"""FFmpeg's names of headerless formats, and numpy's."""
MOST_CHANNELS = 64
MOST_FETCHED = 512 << 20
"""Bytes of a sound behind an address: four hours of CD-quality FLAC, or an hour and a half of WAV."""
_NUMBERS = (int, float, np.number, list, tuple)


def read_sounds(given: Any, *, rate: int, given_rate: int | None = None, most: int | None = None) -> list[Samples]:
    """Every sound of a batch, (T,) each.

    Args:
        given: a sound, or a list of sounds; an array (B, T) is a batch.
        rate: Hz that the model wants.
        given_rate: Hz of arrays that do not say theirs.
        most: samples after which reading stops.

    Raises:
        PreprocessorError: one cannot be read; the message begins with its number and name.
    """
    sounds = _listed(given)
    if not sounds:
        raise PreprocessorError("no sound was given: the list is empty")
    return [
        read_sound(one, rate=rate, given_rate=given_rate, most=most, name=_name(one, number, len(sounds)))
        for number, one in enumerate(sounds)
    ]


def read_sound(
    given: Any, *, rate: int, given_rate: int | None = None, most: int | None = None, name: str = "the sound"
) -> Samples:
    """One sound as a whole, (T,)."""
    kept: list[Samples] = []
    count = 0
    for block in sound_blocks(given, rate=rate, given_rate=given_rate, name=name):
        kept.append(block)
        count += len(block)
        if most is not None and count >= most:
            break
    whole = kept[0] if len(kept) == 1 else np.concatenate(kept)
    return whole if most is None else whole[:most]


def sound_blocks(given: Any, *, rate: int, given_rate: int | None = None, name: str = "the sound") -> Iterator[Samples]:
    """One sound in blocks (N,), so that a long one need not be in memory as a whole.

    Raises:
        PreprocessorError: it is no sound, empty, cut off, or has samples that are no numbers.
    """
    blocks = _blocks(given, rate if given_rate is None else given_rate, name)
    try:
        first = next(blocks)
    except StopIteration:
        raise PreprocessorError(f"{name} is empty: it has no samples") from None
    seen = 0
    for block in resample(_mono(chain((first,), blocks), first.rate, name), rate=first.rate, wanted=rate):
        seen += len(block)
        yield block
    if not seen:
        raise PreprocessorError(f"{name} is empty: it has no samples at {rate} Hz")


def _mono(blocks: Iterable[Block], rate: int, name: str) -> Iterator[Samples]:
    """The average of the channels, checked."""
    seen = 0
    for block in blocks:
        if block.rate != rate:
            raise PreprocessorError(f"{name} changes its sampling rate from {rate} to {block.rate} Hz in the middle")
        samples = block.samples
        mixed = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
        good = np.isfinite(mixed)
        if not good.all():
            bad = int(np.argmin(good))
            raise PreprocessorError(
                f"{name}: sample {seen + bad} is {mixed[bad]}, and {int((~good).sum())} near it are no finite numbers"
            )
        seen += len(mixed)
        yield np.ascontiguousarray(mixed)


def _blocks(given: Any, rate: int, name: str) -> Iterator[Block]:
    if isinstance(given, Mapping):
        yield from _from_mapping(given, rate, name)
    elif isinstance(given, bytes | bytearray | memoryview):
        yield from decode(bytes(given), name=name)
    elif isinstance(given, str | PathLike):
        yield from _from_place(str(given) if isinstance(given, str) else Path(given), name)
    else:
        samples = _array(given, name)
        if len(samples):
            yield Block(samples, check_rate(rate, name=name))


def _from_place(place: str | Path, name: str) -> Iterator[Block]:
    if is_url(place):
        try:
            data = fetch(str(place), max_bytes=MOST_FETCHED)
        except ModelryError as error:
            raise PreprocessorError(f"{name}: {error}") from error
        yield from decode(data, name=name)
    else:
        yield from decode(Path(place), name=name)


def _from_mapping(given: Mapping[str, Any], rate: int, name: str) -> Iterator[Block]:
    if given.get("bytes") is not None:
        yield from decode(bytes(given["bytes"]), name=name)
        return
    values = next((given[key] for key in ("array", "raw") if given.get(key) is not None), None)
    if values is None and given.get("path") is not None:
        yield from _from_place(given["path"], name)
        return
    if values is None:
        raise PreprocessorError(
            f"{name} has the keys {sorted(map(str, given))}: a sound is {{'array', 'sampling_rate'}}, "
            "{'path'}, {'bytes'}, or {'raw', 'sampling_rate'}"
        )
    own = check_rate(given.get("sampling_rate", rate), name=name)
    if isinstance(values, bytes | bytearray | memoryview):
        samples = _pcm(bytes(values), given.get("format", "s16le"), given.get("channels", 1), name)
    else:
        samples = _array(values, name)
    if len(samples):
        yield Block(samples, own)


def _pcm(data: bytes, form: Any, channels: Any, name: str) -> Samples:
    """(T, C) of interleaved samples."""
    if form not in PCM:
        raise PreprocessorError(f"{name}: raw format {form!r} is not known; there are {', '.join(PCM)}")
    if not isinstance(channels, int) or not 1 <= channels <= MOST_CHANNELS:
        raise PreprocessorError(f"{name}: {channels!r} channels are impossible: from 1 to {MOST_CHANNELS} are read")
    values = np.dtype(PCM[form])
    if len(data) % (values.itemsize * channels):
        raise PreprocessorError(
            f"{name} is cut off: {len(data)} bytes are no whole number of {form} samples of {channels} channels"
        )
    return _scaled(np.frombuffer(data, dtype=values), name).reshape(-1, channels)


def _array(given: Any, name: str) -> Samples:
    """(T, C) of an array, a tensor or nested lists."""
    if hasattr(given, "detach"):  # a tensor, of which numpy wants neither gradient nor device
        given = given.detach().cpu()
        given = given.float().numpy() if given.is_floating_point() else given.numpy()
    if isinstance(given, list | tuple) and not all(isinstance(one, _NUMBERS) for one in given):
        raise PreprocessorError(f"{name} is {given!r:.60}, which is no sound: {_KINDS}")
    if not isinstance(given, list | tuple | np.ndarray):
        raise PreprocessorError(f"{name} is a {type(given).__name__}, which is no sound: {_KINDS}")
    try:
        values = np.asarray(given)
    except ValueError as error:
        raise PreprocessorError(f"{name}: the channels have different lengths: {error}") from error
    if isinstance(given, list | tuple):
        values = values.astype(np.float32)  # numbers in a list are samples, whole ones too
    if values.ndim not in (1, 2):
        raise PreprocessorError(f"{name} has the shape {values.shape}: a waveform is (samples,) or (samples, channels)")
    if values.ndim == 2:
        values = values if values.shape[1] <= values.shape[0] else values.T
        if values.shape[1] > MOST_CHANNELS:
            raise PreprocessorError(f"{name} has the shape {values.shape}: at most {MOST_CHANNELS} channels are read")
    return _scaled(values if values.ndim == 2 else values[:, None], name)


def _scaled(values: NDArray[Any], name: str) -> Samples:
    if values.dtype.kind == "f":
        return values.astype(np.float32, copy=False)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - np.float32(128)) / np.float32(128)
    if values.dtype.kind == "i":
        return (values / float(-int(np.iinfo(values.dtype).min))).astype(np.float32)
    raise PreprocessorError(f"{name} has values of type {values.dtype}: samples are floating-point or whole numbers")


_KINDS = "give a path, an address, bytes, an array, or {'array': …, 'sampling_rate': …}"


def _listed(given: Any) -> list[Any]:
    """A batch as a list; one sound as a list of it."""
    if isinstance(given, list | tuple):
        return [given] if given and all(isinstance(one, int | float | np.number) for one in given) else list(given)
    if getattr(given, "ndim", 1) == 2 and not isinstance(given, Mapping):
        return list(given)
    if getattr(given, "ndim", 1) > 2:
        raise PreprocessorError(f"an array of the shape {tuple(given.shape)} is no batch of sounds: (rows, samples) is")
    return [given]


def _name(given: Any, number: int, count: int) -> str:
    where = given.get("path") if isinstance(given, Mapping) else given
    shown = f" ({str(where)[:80]})" if isinstance(where, str | PathLike) else ""
    return f"sound {number}{shown}" if count > 1 else f"the sound{shown}"


__all__ = ["read_sound", "read_sounds", "sound_blocks"]
