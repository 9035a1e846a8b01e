"""Everything that is called a sound, and what is refused."""

import threading
import tracemalloc
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
import torch

from modelry.errors import PreprocessorError, UnsafeAddress
from modelry.preprocessing.audio.reading import read_sound, read_sounds, sound_blocks


def test_forms_of_one_sound(noise: Callable, file: Callable) -> None:
    samples = noise(800)
    path = file(samples, 16000, subtype="FLOAT")
    forms: list[Any] = [
        samples,
        samples.astype(np.float64),
        samples.tolist(),
        torch.from_numpy(samples).requires_grad_(),
        path,
        str(path),
        path.read_bytes(),
        {"path": str(path)},
        {"path": "elsewhere.wav", "bytes": path.read_bytes()},
        {"array": samples, "sampling_rate": 16000},
        {"array": np.stack((samples, samples)), "sampling_rate": 16000},
        {"array": np.stack((samples, samples), axis=1), "sampling_rate": 16000},
        {"raw": samples, "sampling_rate": 16000},
        {"raw": samples.astype("<f4").tobytes(), "format": "f32le", "sampling_rate": 16000},
        {"raw": np.repeat(samples, 2).astype("<f4").tobytes(), "format": "f32le", "channels": 2},
    ]
    for form in forms:
        found = read_sound(form, rate=16000)
        assert found.dtype == np.float32
        assert np.array_equal(found, samples), form


def test_whole_numbers_are_pcm() -> None:
    for values, expected in (
        (np.array([0, 16384, -32768], dtype=np.int16), [0.0, 0.5, -1.0]),
        (np.array([0, 2**30, -(2**31)], dtype=np.int32), [0.0, 0.5, -1.0]),
        (np.array([128, 192, 0], dtype=np.uint8), [0.0, 0.5, -1.0]),
    ):
        assert read_sound(values, rate=16000).tolist() == expected
    assert read_sound({"raw": b"\x00\x00\x00\x40", "sampling_rate": 16000}, rate=16000).tolist() == [0.0, 0.5]
    assert read_sound([1, 2], rate=16000).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000, 192_000])
def test_resampling_is_that_of_soxr(rate: int, noise: Callable) -> None:
    samples = noise(rate)
    found = read_sound({"array": samples, "sampling_rate": rate}, rate=16000)
    expected = soxr.resample(samples, rate, 16000, quality="HQ")
    assert found.shape == expected.shape == (16000,)
    assert np.abs(found - expected).max() < 1e-5
    assert np.array_equal(read_sound(samples, rate=16000, given_rate=rate), found)


def test_stereo_is_mixed(noise: Callable, file: Callable) -> None:
    samples = noise(900, 2)
    found = read_sound(file(samples, 16000, subtype="FLOAT"), rate=16000)
    assert np.abs(found - samples.mean(1)).max() < 1e-7


def test_batches(noise: Callable) -> None:
    assert [len(one) for one in read_sounds([noise(5), noise(7)], rate=16000)] == [5, 7]
    assert [len(one) for one in read_sounds(noise(3, 10), rate=16000)] == [10, 10, 10]
    assert [len(one) for one in read_sounds(torch.zeros(2, 4), rate=16000)] == [4, 4]
    assert [len(one) for one in read_sounds([[0.1, 0.2], [0.3]], rate=16000)] == [2, 1]
    assert len(read_sounds([0.1, 0.2], rate=16000)) == 1
    assert len(read_sounds(noise(50), rate=16000, most=20)[0]) == 20


def test_a_long_file_costs_no_memory(noise: Callable, file: Callable) -> None:
    path = file(np.tile(noise(100_000), 60), 48000)  # two minutes
    tracemalloc.start()
    try:
        seen = sum(len(block) for block in sound_blocks(path, rate=16000))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == 2_000_000
    assert most < 6_000_000  # the whole has 8 MB at 16 kHz and 24 MB at 48
    assert len(read_sound(path, rate=16000, most=1000)) == 1000


BAD: dict[str, tuple[Any, str]] = {
    "empty array": (np.zeros(0), "the sound is empty: it has no samples"),
    "empty list": ([], "no sound was given: the list is empty"),
    "NaN": (np.array([0.0, np.nan]), "sample 1 is nan"),
    "infinite": (np.array([np.inf, 0.0]), "sample 0 is inf"),
    "number": (7, "the sound is a int, which is no sound: give a path"),
    "nothing": (None, "is a NoneType, which is no sound"),
    "words": (["a", object()], "sound 0 .a.: there is no such file"),
    "three dimensions": (np.zeros((2, 3, 4)), r"the shape \(2, 3, 4\) is no batch of sounds"),
    "text array": (np.array(["a"]), "values of type <U1"),
    "no keys": ({"x": 1}, r"has the keys \['x'\]: a sound is"),
    "no rate": ({"array": [0.0, 0.1], "sampling_rate": None}, "sampling_rate is None"),
    "zero rate": ({"array": [0.0], "sampling_rate": 0}, "sampling_rate 0 Hz is impossible"),
    "half a rate": ({"array": [0.0], "sampling_rate": 1.5}, "a whole number of Hz"),
    "odd bytes": ({"raw": b"abc", "sampling_rate": 8000}, "is cut off: 3 bytes are no whole number of s16le"),
    "raw format": ({"raw": b"ab", "format": "mp3"}, "raw format 'mp3' is not known; there are s16le"),
    "no channels": ({"raw": b"ab", "channels": 0}, "0 channels are impossible"),
    "ragged": ({"array": [[0.1], [0.1, 0.2]], "sampling_rate": 8000}, "channels have different lengths"),
    "many channels": ({"array": np.zeros((70, 80)), "sampling_rate": 8000}, "at most 64 channels"),
}


@pytest.mark.parametrize("case", BAD)
def test_refused(case: str) -> None:
    given, told = BAD[case]
    with pytest.raises(PreprocessorError, match=told):
        read_sounds(given, rate=16000)


def test_addresses(noise: Callable, file: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(noise(500), 16000)
    handler = partial(SimpleHTTPRequestHandler, directory=str(path.parent))
    handler.log_message = lambda *said: None  # type: ignore[attr-defined]  # a partial has attributes of its own
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            address = f"http://127.0.0.1:{server.server_port}/{path.name}"
            with pytest.raises(PreprocessorError, match=r"^the sound: .* inside our own network") as caught:
                read_sound(address, rate=16000)
            assert isinstance(caught.value.__cause__, UnsafeAddress)
            monkeypatch.setenv("MODELRY_ALLOW_PRIVATE_URLS", "1")
            assert len(read_sound(address, rate=16000)) == 500
        finally:
            server.shutdown()
            thread.join()


def test_the_item_is_named(noise: Callable, tmp_path: Path) -> None:
    with pytest.raises(PreprocessorError, match=r"^sound 1 is empty"):
        read_sounds([noise(5), np.zeros(0)], rate=16000)
    with pytest.raises(PreprocessorError, match=rf"^sound 1 \({tmp_path / 'absent.wav'}\): there is no such file"):
        read_sounds([noise(5), tmp_path / "absent.wav"], rate=16000)
