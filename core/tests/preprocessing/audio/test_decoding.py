"""Files of every kind are read, and damaged ones refused."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from modelry.errors import PreprocessorError
from modelry.preprocessing.audio import decoding
from modelry.preprocessing.audio.decoding import decode


def whole(source: Path | bytes) -> np.ndarray:
    return np.concatenate([block.samples for block in decode(source, name="it")])


def container(path: Path, samples: np.ndarray, codec: str) -> Path:
    """(C, T) at 48 kHz, compressed; the title is not UTF-8."""
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(str(path), "w") as file:
        file.metadata["title"] = "Caf@"
        stream = file.add_stream(codec, rate=48000, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.sample_rate = 48000
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    path.write_bytes(path.read_bytes().replace(b"Caf@", b"Caf\xe9"))
    return path


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff"])
def test_lossless(suffix: str, noise: Callable, file: Callable) -> None:
    samples = noise(4000, 2)
    path = file(samples, 22050, suffix)
    for source in (path, path.read_bytes()):
        assert np.abs(whole(source) - samples).max() < 1e-4
    assert next(decode(path, name="it")).rate == 22050


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_lossy(suffix: str, file: Callable) -> None:
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(32000) / 16000)
    found = whole(file(tone, 16000, suffix))[:, 0]
    assert np.abs(found[4000:28000] - tone[4000:28000]).max() < 0.05


@pytest.mark.parametrize(("suffix", "codec"), [("m4a", "aac"), ("webm", "libopus"), ("mp4", "aac")])
def test_containers(suffix: str, codec: str, noise: Callable, tmp_path: Path) -> None:
    path = container(tmp_path / f"film.{suffix}", noise(2, 96000), codec)
    for source in (path, path.read_bytes()):
        found = whole(source)
        assert found.shape[1] == 2
        assert abs(len(found) - 96000) < 3000
        assert 0.05 < found[10000:80000].std() < 0.15


def test_blocks(noise: Callable, file: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "BLOCK", 1000)
    samples = noise(3500)
    blocks = list(decode(file(samples, 16000, subtype="FLOAT"), name="it"))
    assert [len(block.samples) for block in blocks] == [1000, 1000, 1000, 500]
    assert np.array_equal(np.concatenate([block.samples for block in blocks])[:, 0], samples)


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "ogg", "mp3", "webm", "mp4"])
def test_cut_in_the_middle(suffix: str, noise: Callable, file: Callable, tmp_path: Path) -> None:
    if suffix in ("webm", "mp4"):
        path = container(tmp_path / f"film.{suffix}", noise(1, 96000), "libopus" if suffix == "webm" else "aac")
    else:
        path = file(noise(50000), 16000, suffix)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(PreprocessorError, match=r"it is (cut off|damaged or cut off|no sound)"):
        whole(path)


@pytest.mark.parametrize(("size", "samples"), [(0xFFFFFFFF, 0xFFFFFFFF), (0x7FFFF024, 0x7FFFF000), (0, 0xFFFFFFFF)])
def test_wave_from_a_pipe_knows_no_size(size: int, samples: int, noise: Callable, file: Callable) -> None:
    data = bytearray(file(noise(1000), 16000).read_bytes())
    data[4:8], data[40:44] = size.to_bytes(4, "little"), samples.to_bytes(4, "little")
    assert len(whole(bytes(data))) == 1000


def test_no_sound(tmp_path: Path) -> None:
    text = tmp_path / "words.wav"
    text.write_text("these are words\n" * 20)
    with pytest.raises(PreprocessorError, match=r"it is no sound file .it begins b'these are words"):
        whole(text)
    with pytest.raises(PreprocessorError, match="it is empty: it has 0 bytes"):
        whole(b"")
    with pytest.raises(PreprocessorError, match="it: there is no such file"):
        whole(tmp_path / "absent.wav")
    with pytest.raises(PreprocessorError, match="it: there is no such file"):
        whole(tmp_path / ("a" * 300))


def test_a_film_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), dtype=np.uint8), format="rgb24")
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    with pytest.raises(PreprocessorError, match="it has no sound: there is no audio stream"):
        whole(path)
