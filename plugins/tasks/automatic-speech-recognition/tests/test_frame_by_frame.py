"""Text and times of models that write frame by frame, as transformers' pipeline gives them; windows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import transformers

from modelry import pipeline
from modelry.errors import ParameterError, PipelineError
from modelry_automatic_speech_recognition.windows import windows

CALLS: list[dict[str, Any]] = [
    {},
    {"return_timestamps": "char"},
    {"return_timestamps": "word"},
    {"chunk_length_s": 0.5},
    {"chunk_length_s": 0.4, "stride_length_s": (0.1, 0.05), "return_timestamps": "word"},
    {"chunk_length_s": 0.3, "stride_length_s": 0.0},
]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("call", CALLS, ids=str)
def test_answers(call: dict[str, Any], frame_by_frame: Path, noise: Callable) -> None:
    ours = pipeline("automatic-speech-recognition", model=frame_by_frame, device="cpu")
    theirs = transformers.pipeline("automatic-speech-recognition", model=str(frame_by_frame), device="cpu")
    for length in (16000, 9000, 3000):
        found, expected = ours(noise(length), **call), theirs(noise(length).copy(), **call)
        assert found["text"] == expected["text"]
        assert found["text"]
        assert [one["text"] for one in found.get("chunks", [])] == [one["text"] for one in expected.get("chunks", [])]
        for one, other in zip(found.get("chunks", []), expected.get("chunks", []), strict=True):
            assert one["timestamp"] == pytest.approx(other["timestamp"])


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
def test_sides_that_are_heard_and_not_written(frame_by_frame: Path, noise: Callable) -> None:
    """A row says them as `stride`, in samples: whoever cuts a stream does."""
    ours = pipeline("automatic-speech-recognition", model=frame_by_frame, device="cpu")
    theirs = transformers.pipeline("automatic-speech-recognition", model=str(frame_by_frame), device="cpu")
    row = {"raw": noise(16000), "sampling_rate": 16000, "stride": (3200, 1600)}
    found, expected = ours(row, ignore_warning=True), theirs(dict(row), ignore_warning=True)
    assert found["text"] == expected["text"]
    assert 0 < len(found["text"]) < len(ours(row["raw"])["text"])
    for stride in ((9000, 9000), (-1, 0), 3, (1, 2, 3), "ab"):
        with pytest.raises(PipelineError, match="the sound's stride is"):
            ours({**row, "stride": stride})


def test_windows_cover_the_sound() -> None:
    sound = np.arange(1000, dtype=np.float32)
    for size, left, right in ((300, 50, 30), (100, 0, 0), (999, 10, 10), (1000, 10, 10), (5000, 100, 100)):
        for block in (7, 250, 2000):
            blocks = [sound[at : at + block] for at in range(0, 1000, block)]
            parts = [
                one.samples[one.left : len(one.samples) - one.right]
                for one in windows(blocks, size=size, left=left, right=right)
            ]
            assert np.array_equal(np.concatenate(parts), sound), (size, block)


def test_files_and_subtitles(frame_by_frame: Path, noise: Callable, tmp_path: Path) -> None:
    transcribe = pipeline("automatic-speech-recognition", model=frame_by_frame, device="cpu")
    path = tmp_path / "talk.wav"
    soundfile.write(path, noise(16000), 16000, subtype="FLOAT")
    expected = transcribe(noise(16000))
    for form in (str(path), path.read_bytes(), {"audio": {"path": str(path)}}):
        assert transcribe(form) == expected
    found = transcribe(str(path), output_format="srt")
    assert found["srt"].startswith("1\n00:00:00,")
    assert "chunks" not in found
    assert transcribe.display(found) == found["srt"]
    assert transcribe.display(expected) == expected["text"]
    assert transcribe(str(path), chunk_length_s=0.4, batch_size=3) == transcribe(str(path), chunk_length_s=0.4)


def test_bad_sounds(frame_by_frame: Path, noise: Callable, tmp_path: Path) -> None:
    transcribe = pipeline("automatic-speech-recognition", model=frame_by_frame, device="cpu")
    cut = tmp_path / "cut.wav"
    soundfile.write(cut, noise(4000), 16000)
    cut.write_bytes(cut.read_bytes()[:3000])
    found = transcribe([noise(900), str(cut), noise(10), noise(800)], on_error="return", batch_size=4)
    assert [isinstance(one, PipelineError) for one in found] == [False, True, True, False]
    assert "item 1" in str(found[1])
    assert "is cut off" in str(found[1])
    assert "at least 20 samples" in str(found[2])
    assert transcribe(np.zeros(1600, dtype=np.float32))["text"] is not None
    with pytest.raises(ParameterError, match="leave nothing of chunk_length_s"):
        transcribe(noise(900), chunk_length_s=1.0, stride_length_s=0.5)
    with pytest.raises(PipelineError, match="at least 20 samples"):
        transcribe(noise(10))


def test_no_model_drafts(frame_by_frame: Path, noise: Callable) -> None:
    transcribe = pipeline("automatic-speech-recognition", model=frame_by_frame, device="cpu")
    with pytest.raises(PipelineError, match="assistant_model drafts text for models that generate it"):
        transcribe(noise(5000), assistant_model=transcribe.model)
