"""Sounds that nobody hopes for: each is right, or a clear error; and three hours of it."""

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from modelry import AutoConfig, AutoModelForSpeechSeq2Seq, AutoTokenizer, pipeline
from modelry.errors import PipelineError
from modelry_automatic_speech_recognition import AutomaticSpeechRecognitionPipeline
from modelry_automatic_speech_recognition import pipeline as room

RATE = 16_000
CALLS: list[dict[str, Any]] = [{}, {"return_timestamps": True}, {"chunk_length_s": 0.6}]


@pytest.fixture(scope="module")
def transcribe(whisper: Path) -> Any:
    return pipeline("automatic-speech-recognition", model=whisper, device="cpu", language="en")


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_read(call: dict[str, Any], transcribe: Any, noise: Callable) -> None:
    sounds = {
        "silence": np.zeros(RATE, dtype=np.float32),
        "noise": noise(RATE),
        "10 ms": noise(160),
        "one sample": noise(1),
        "8 kHz": {"array": noise(4000), "sampling_rate": 8000},
        "192 kHz": {"array": noise(96_000), "sampling_rate": 192_000},
        "stereo": {"array": np.stack((noise(RATE), noise(RATE)), axis=1), "sampling_rate": RATE},
    }
    found = transcribe(list(sounds.values()), generate_kwargs={"max_new_tokens": 6}, **call)
    assert all(isinstance(one["text"], str) for one in found)
    assert found[6] == found[1] or call  # two equal channels are one
    for one in found:
        times = [time for chunk in one.get("chunks", ()) for time in chunk["timestamp"]]
        assert times == sorted(times)
        assert all(0 <= time <= 1.01 for time in times)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_refused(call: dict[str, Any], transcribe: Any, noise: Callable, tmp_path: Path) -> None:
    whole = tmp_path / "talk.flac"
    soundfile.write(whole, noise(RATE), RATE)
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    broken = noise(1000)
    broken[500] = np.nan
    given = [noise(400), broken, str(cut), np.zeros(0, dtype=np.float32), str(tmp_path / "none.wav"), noise(300)]
    found = transcribe(given, on_error="return", generate_kwargs={"max_new_tokens": 4}, **call)
    assert [isinstance(one, PipelineError) for one in found] == [False, True, True, True, True, False]
    for number, reason in ((1, "sample 500 is nan"), (2, "cut"), (3, "is empty"), (4, "there is no such file")):
        assert f"item {number}" in str(found[number])
        assert reason in str(found[number])


def test_frame_by_frame_a_whole_sound_is_short(
    frame_by_frame: Path, noise: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcribe = pipeline("automatic-speech-recognition", model=frame_by_frame, device="cpu")
    monkeypatch.setattr(room, "MOST_SECONDS", 1)
    assert transcribe(noise(RATE))["text"]
    with pytest.raises(
        PipelineError, match=r"longer than 1 seconds, and .* hear it in windows, with chunk_length_s=20"
    ):
        transcribe(noise(RATE + 1))
    assert transcribe(noise(RATE + 1), chunk_length_s=0.5)["text"]


@pytest.fixture(scope="module")
def far_sighted(whisper: Path, tmp_path_factory: pytest.TempPathFactory) -> AutomaticSpeechRecognitionPipeline:
    """A Whisper that hears ten minutes at once, of few samples each."""
    folder = tmp_path_factory.mktemp("far-sighted")
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (folder / name).write_bytes((whisper / name).read_bytes())
    values = {"chunk_length": 600, "feature_size": 16, "sampling_rate": 1600, "hop_length": 1600, "max_frequency": 800}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"feature_extractor_type": "WhisperFeatureExtractor", **values})
    )
    config = AutoConfig.from_pretrained(whisper, max_source_positions=300)
    AutoModelForSpeechSeq2Seq.from_config(config).save_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder)
    (folder / "generation_config.json").write_bytes((whisper / "generation_config.json").read_bytes())
    made = pipeline("automatic-speech-recognition", model=folder, device="cpu", language="en")
    assert isinstance(made, AutomaticSpeechRecognitionPipeline)
    return made


@pytest.mark.parametrize("call", [{"return_timestamps": True}, {"chunk_length_s": 600, "batch_size": 2}], ids=str)
def test_three_hours(
    call: dict[str, Any],
    far_sighted: AutomaticSpeechRecognitionPipeline,
    noise: Callable,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path, minute = tmp_path / "day.wav", noise(60 * 1600)
    with soundfile.SoundFile(path, "w", samplerate=1600, channels=1, subtype="PCM_16") as file:
        for _ in range(180):
            file.write(minute)
    as_floats = 4 * 180 * len(minute)
    far_sighted(noise(1600), generate_kwargs={"max_new_tokens": 1}, **call)  # what is set up once
    tracemalloc.start()
    found = far_sighted(str(path), generate_kwargs={"max_new_tokens": 1}, progress=True, **call)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(found["text"], str)
    assert peak < as_floats / 3, (peak, as_floats)
    bar = capsys.readouterr().err
    assert "heard: " in bar
    assert "10800" in bar
