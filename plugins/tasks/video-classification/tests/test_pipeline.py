"""Labels of videos as transformers' pipeline gives them, every form of a video, and what is none."""

import base64
import io
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image

from modelry import pipeline
from modelry.errors import PipelineError
from modelry_video_classification.frames import indices

Save = Callable[..., Path]


def close(found: Any, expected: Any) -> None:
    assert [one["label"] for one in found] == [one["label"] for one in expected]
    assert [one["score"] for one in found] == pytest.approx([one["score"] for one in expected], abs=1e-5)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("values", [{}, {"problem_type": "multi_label_classification"}, {"problem_type": "regression"}])
def test_as_transformers_has_it(saved: Save, data: bytes, tmp_path: Path, values: dict[str, Any]) -> None:
    """Theirs takes frames from the beginning where it has no video processor, which needs torchvision."""
    folder, path = saved(**values), tmp_path / "film.mkv"
    path.write_bytes(data)
    ours: Any = pipeline("video-classification", model=folder, device="cpu")
    theirs: Any = transformers.pipeline("video-classification", model=str(folder), device="cpu")
    for options in (
        {"frame_sampling_rate": 1},
        {"frame_sampling_rate": 4, "top_k": 1},
        {"frame_sampling_rate": 5, "function_to_apply": "none"},
        {"frame_sampling_rate": 2, "num_frames": 4, "function_to_apply": "sigmoid"},
    ):
        close(ours(str(path), **options), theirs(str(path), **options))
    both = ours([path, str(path)], batch_size=2, frame_sampling_rate=1)
    close(both[1], theirs([str(path), str(path)])[1])


def test_frames_are_the_published_ones() -> None:
    for count in (1, 4, 8, 16, 32):
        for rate in (1, 2, 3, 4, 8):
            expected = np.linspace(0, count * rate - 1, num=count, dtype=np.int64)
            assert list(indices(count * rate, count, rate)) == expected.tolist()


def test_every_form_of_a_video(saved: Save, frames: np.ndarray, data: bytes, tmp_path: Path) -> None:
    classify = pipeline("video-classification", model=saved(), device="cpu")
    path = tmp_path / "film.mkv"
    path.write_bytes(data)
    text = base64.b64encode(data).decode()
    for rate in (None, 3):
        expected = classify(path, frame_sampling_rate=rate)
        files: tuple[Any, ...] = (str(path), data, text, {"video": path})
        for form in files:
            assert classify(form, frame_sampling_rate=rate) == expected
        expected = classify(frames, frame_sampling_rate=rate)
        pictures = [Image.fromarray(one) for one in frames]
        held: tuple[Any, ...] = (
            list(frames),
            pictures,
            tuple(pictures),
            {"video": pictures},
            np.moveaxis(frames, -1, 1),
        )
        for form in held:
            close(classify(form, frame_sampling_rate=rate), expected)
        close(classify([frames, pictures], batch_size=2, frame_sampling_rate=rate)[1], expected)


def test_frames_are_spread_over_the_whole_video_unless_a_rate_is_given(saved: Save, frames: np.ndarray) -> None:
    classify = pipeline("video-classification", model=saved(), device="cpu", top_k=None)
    close(classify(frames), classify(frames[[0, 5, 10, 15]]))
    close(classify(frames, frame_sampling_rate=1), classify(frames[:4]))
    assert len(classify.display(classify(frames)).splitlines()) == 3


def test_what_is_no_video(saved: Save, frames: np.ndarray, data: bytes, tmp_path: Path) -> None:
    classify = pipeline("video-classification", model=saved(), device="cpu")
    text = tmp_path / "film.mp4"
    text.write_text("no film")
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(800))
    bad: list[tuple[Any, dict[str, Any], str]] = [
        (text, {}, "is no video that can be read"),
        (text, {"frame_sampling_rate": 2}, "is no video that can be read"),
        (sound.getvalue(), {}, "has no video stream; it has audio"),
        (frames[:1], {}, "has 1 frames; 4 cannot be taken"),
        (frames[0], {"frame_sampling_rate": 1}, "has 1 frames; 4 frames, one of 1 each"),
        (frames, {"frame_sampling_rate": 6}, "has 20 frames; 4 frames, one of 6 each"),
        (data, {"frame_sampling_rate": 6}, "has 20 frames; 4 frames, one of 6 each"),
        (frames, {"num_frames": 6}, r"\(videos, 4, 3, 16, 24\) is needed"),
        (np.zeros((2, 4, 8, 8, 3), np.uint8), {}, "one video is needed"),
        ({"film": 1}, {}, "a row with the keys"),
        ("http://127.0.0.1/film.mp4", {}, "inside our own network"),
        ("http://127.0.0.1/film.mp4", {"frame_sampling_rate": 1}, "inside our own network"),
        (7, {"frame_sampling_rate": 1}, "the video is a int"),
        (np.full((4, 9, 9, 3), np.nan, np.float32), {}, "holds NaN"),
    ]
    for item, options, says in bad:
        with pytest.raises(PipelineError, match=says):
            classify(item, **options)
    found = classify([frames, text, frames], batch_size=3, on_error="return")
    assert "item 1" in str(found[1])
    close(found[2], found[0])
