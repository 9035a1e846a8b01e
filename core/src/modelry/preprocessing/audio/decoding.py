"""Sound files, block by block: soundfile for what libsndfile reads, PyAV for the containers that it does not.

N samples of a block   C channels
"""

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from modelry.errors import PreprocessorError
from modelry.preprocessing.containers import open_container

INSTALL = "pip install 'modelry-core[audio]'"
BLOCK = 1 << 18
"""Samples of a channel that are decoded at once: 16 seconds at 16 kHz, a few megabytes."""
UNKNOWN_SIZES = (range(1), range(0x7FFFF000, 0x7FFFF100), range(0xFFFFFFFF, 0x100000000))
"""What a WAV or AIFF header says of its size when it was written into a pipe: nothing, FFmpeg's number, or SoX's and
espeak's 0x7FFFF000 bytes of samples and the header before them."""
LAST_PAGE = 1 << 16
"""An Ogg page is at most so long."""
SHORT = 0.5
"""Seconds that a compressed container may lack at its end, because of the encoder's own padding."""


class Block(NamedTuple):
    """Samples of a sound, one block after the other."""

    samples: NDArray[np.float32]
    """(N, C), full scale from -1 to 1."""
    rate: int
    """Samples a second, in Hz."""


def decode(source: Path | bytes, *, name: str) -> Iterator[Block]:
    """Yield the blocks of a sound file.

    Args:
        source: where it is, or what is in it.
        name: what errors call it.

    Raises:
        PreprocessorError: it is empty, no sound, without a sound track, damaged or cut off.
    """
    data = source if isinstance(source, bytes) else None
    size = len(data) if data is not None else _size(source, name)
    if size == 0:
        raise PreprocessorError(f"{name} is empty: it has 0 bytes")
    head, tail = _ends(source, size)
    _refuse_cut(head, tail, size, name)
    opened = _open(io.BytesIO(data) if data is not None else str(source))
    if opened is not None:
        yield from _by_soundfile(opened, name)
    else:
        yield from _by_av(io.BytesIO(data) if data is not None else str(source), head, name)


def _size(source: Any, name: str) -> int:
    path = Path(source)
    try:
        if path.is_file():
            return path.stat().st_size
    except OSError:
        pass  # a name too long for a file
    raise PreprocessorError(f"{name}: there is no such file")


def _ends(source: Path | bytes, size: int) -> tuple[bytes, bytes]:
    """The first bytes and the last."""
    if isinstance(source, bytes):
        return source[:64], source[-LAST_PAGE:]
    with source.open("rb") as file:
        head = file.read(64)
        file.seek(max(0, size - LAST_PAGE))
        return head, file.read()


def _refuse_cut(head: bytes, tail: bytes, size: int, name: str) -> None:
    """What the libraries read up to the cut without a word."""
    forms = {(b"RIFF", b"WAVE"): "<I", (b"FORM", b"AIFF"): ">I", (b"FORM", b"AIFC"): ">I"}
    order = forms.get((head[:4], head[8:12]))
    if order is not None:
        (said,) = struct.unpack(order, head[4:8])
        known = not any(said in one for one in UNKNOWN_SIZES)
        if known and said + 8 > size + 1:  # some writers forget the byte that makes it even
            raise PreprocessorError(
                f"{name} is cut off: its header speaks of {said + 8} bytes, and it has {size}. Get the whole file"
            )
    if head[:4] == b"OggS":
        last = tail.rfind(b"OggS")
        if last < 0 or last + 5 >= len(tail) or not tail[last + 5] & 4:
            raise PreprocessorError(f"{name} is cut off: its last page is missing. Get the whole file")


def _open(source: Any) -> Any:
    """A soundfile.SoundFile; None where libsndfile does not know the format."""
    try:
        import soundfile  # type: ignore[import-untyped]  # it has no types
    except ImportError as error:
        raise PreprocessorError(f"reading sound files needs soundfile, which is not installed: {INSTALL}") from error
    try:
        return soundfile.SoundFile(source)
    except soundfile.LibsndfileError:
        return None


def _by_soundfile(file: Any, name: str) -> Iterator[Block]:
    import soundfile

    read = 0
    with file:
        said, rate = int(file.frames), int(file.samplerate)
        try:
            while len(samples := file.read(BLOCK, dtype="float32", always_2d=True)):
                read += len(samples)
                yield Block(samples, rate)
        except soundfile.LibsndfileError as error:
            raise PreprocessorError(f"{name} is damaged or cut off after {read / rate:.2f} s: {error}") from error
    if read < said < 1 << 62:  # libsndfile says 2^63 - 1 where the format does not know
        raise PreprocessorError(f"{name} is cut off: {read} of its {said} samples are there. Get the whole file")


def _by_av(source: Any, head: bytes, name: str) -> Iterator[Block]:
    try:
        import av
    except ImportError as error:
        raise PreprocessorError(
            f"{name} begins with {head[:8]!r}, which soundfile does not read, and av is not installed: {INSTALL}"
        ) from error
    read, rate = 0, 1
    try:
        with open_container(av, source) as container:
            if not container.streams.audio:
                raise PreprocessorError(f"{name} has no sound: there is no audio stream in it")
            length = (container.duration or 0) / 1_000_000
            plain = av.AudioResampler(format="fltp")
            for frame in container.decode(container.streams.audio[0]):
                for part in plain.resample(frame):
                    samples = np.ascontiguousarray(part.to_ndarray().T, dtype=np.float32)
                    rate = part.sample_rate
                    read += len(samples)
                    yield Block(samples, rate)
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, PreprocessorError):
            raise
        what = (
            f"is damaged or cut off after {read / rate:.2f} s" if read else f"is no sound file (it begins {head!r:.40})"
        )
        raise PreprocessorError(f"{name} {what}: {error}") from error
    if read == 0:
        raise PreprocessorError(f"{name} is no sound file, or has no sound in it: it begins {head!r:.40}")
    if read / rate < 0.95 * length - SHORT:
        raise PreprocessorError(f"{name} is cut off: {read / rate:.2f} of its {length:.2f} s are there")
