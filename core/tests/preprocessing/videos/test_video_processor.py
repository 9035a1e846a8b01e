"""Videos of every form become the same values; frames are chosen as asked; bad videos are named."""

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image
from transformers.video_processing_utils import BaseVideoProcessor
from transformers.video_utils import VideoMetadata as PublishedMetadata
from transformers.video_utils import default_sample_indices_fn

from modelry.errors import PreprocessorError
from modelry.preprocessing import ImageProcessor, VideoProcessor
from modelry.preprocessing.videos import decoding
from modelry.preprocessing.videos.parameters import VideoParameters
from modelry.preprocessing.videos.sampling import VideoMetadata, sampled

av = pytest.importorskip("av")


def film(count: int = 12, rate: int = 10, height: int = 48, width: int = 64) -> np.ndarray:
    """(count, height, width, 3): a bar that moves, brighter from frame to frame."""
    frames = np.zeros((count, height, width, 3), np.uint8)
    for number in range(count):
        frames[number] = 10 + number * 18 % 230
        frames[number, :, number * 4 : number * 4 + 12, 0] = 250
    return frames


def encoded(frames: np.ndarray, rate: int = 10, format: str = "mp4", codec: str = "mpeg4") -> bytes:
    """The bytes of a file, whose title is not UTF-8."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format) as container:
        container.metadata["title"] = "Caf@"
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], "yuv420p"
        for frame in frames:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return buffer.getvalue().replace(b"Caf@", b"Caf\xe9")


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    """Twelve at ten a second."""
    return film()


@pytest.fixture(scope="module")
def data(frames: np.ndarray) -> bytes:
    """The same as a file; compressed, so not bit by bit."""
    return encoded(frames)


@pytest.fixture
def processor() -> VideoProcessor:
    """To 8 × 8, not normalised."""
    return VideoProcessor(size=8)


def test_equals_the_published_processor(frames: np.ndarray, tmp_path: Path) -> None:
    """VideoMAE's with Pillow; its checkpoints have a preprocessor_config.json."""
    settings = {"size": {"shortest_edge": 40}, "crop_size": {"height": 36, "width": 38}}
    oracle = transformers.VideoMAEImageProcessorPil(**settings)
    written = {**settings, "image_processor_type": "VideoMAEImageProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(written))
    ours = VideoProcessor.from_pretrained(tmp_path)
    videos = [list(frames), [np.asarray(Image.fromarray(one).rotate(90)) for one in frames]]
    expected = np.asarray(oracle(videos)["pixel_values"])
    found = ours(videos, return_tensors="np")
    assert set(found) == {"pixel_values"}
    np.testing.assert_allclose(found["pixel_values"], expected, rtol=0, atol=1e-5)
    ours.save_pretrained(tmp_path / "saved")
    again = VideoProcessor.from_pretrained(tmp_path / "saved")
    assert again.to_dict() == ours.to_dict()
    assert again.video_processor_type == "VideoMAEVideoProcessor"
    np.testing.assert_array_equal(again(videos, return_tensors="np")["pixel_values"], found["pixel_values"])


def test_every_form_is_the_same_video(processor: VideoProcessor, frames: np.ndarray) -> None:
    import torch

    expected = processor(frames, return_tensors="pt")["pixel_values_videos"]
    assert expected.shape == (1, 12, 3, 8, 8)
    first = np.moveaxis(frames, -1, 1)
    pictures = [Image.fromarray(one) for one in frames]
    for one in (first, torch.from_numpy(frames), list(frames), list(first), pictures, tuple(pictures)):
        assert torch.equal(processor(one, return_tensors="pt")["pixel_values_videos"], expected)
    both = processor([frames, pictures], return_tensors="pt")["pixel_values_videos"]
    stacked = processor(np.stack([frames, frames]), return_tensors="pt")["pixel_values_videos"]
    assert torch.equal(both, torch.cat([expected, expected]))
    assert torch.equal(both, stacked)
    lists = processor([frames, frames[:3]])["pixel_values_videos"]
    assert [len(one) for one in lists] == [12, 3]
    np.testing.assert_array_equal(lists[1][2], expected[0, 2])
    images = ImageProcessor(size=8)(list(frames), return_tensors="pt")["pixel_values"]
    assert torch.equal(images, expected[0])


def test_files(processor: VideoProcessor, frames: np.ndarray, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(data)
    found = processor([path, str(path), data], return_tensors="np", return_metadata=True)
    np.testing.assert_array_equal(found["pixel_values_videos"][0], found["pixel_values_videos"][1])
    np.testing.assert_array_equal(found["pixel_values_videos"][0], found["pixel_values_videos"][2])
    expected = processor(frames, return_tensors="np")["pixel_values_videos"]
    assert np.abs(found["pixel_values_videos"][0] - expected[0]).mean() < 0.03, "compression changes a little"
    about = found["video_metadata"][0]
    assert (about.total_num_frames, about.fps, about.duration) == (12, 10, 1.2)
    assert about.timestamps == pytest.approx([number / 10 for number in range(12)])
    gif = io.BytesIO()
    pictures = [Image.fromarray(one) for one in frames[:4]]
    pictures[0].save(gif, "GIF", save_all=True, append_images=pictures[1:], duration=100)
    assert processor(gif.getvalue(), return_tensors="np")["pixel_values_videos"].shape == (1, 4, 3, 8, 8)


def test_sampling(processor: VideoProcessor, frames: np.ndarray, data: bytes) -> None:
    whole = processor(data, return_tensors="np")["pixel_values_videos"][0]
    for way, indices in {
        ("num_frames", 5): [0, 2, 4, 7, 9],
        ("fps", 5): [0, 2, 4, 6, 8, 10],
        ("fps", 0.1): [0],
        ("timestamps", (0, 0.55, 1.1, 0.55)): [0, 5, 11, 5],
    }.items():
        found = processor(data, **{way[0]: way[1]}, return_tensors="np", return_metadata=True)
        np.testing.assert_array_equal(found["pixel_values_videos"][0], whole[indices])
        assert list(found["video_metadata"][0].frames_indices) == indices
        same = processor(frames, **{way[0]: way[1]}, video_metadata={"fps": 10}, return_metadata=True)
        assert list(same["video_metadata"][0].frames_indices) == indices
    fixed = VideoProcessor(size=8, num_frames=4)
    assert fixed(data, return_tensors="np")["pixel_values_videos"].shape[1] == 4
    assert fixed(data, fps=5, return_tensors="np")["pixel_values_videos"].shape[1] == 6
    assert fixed(data, do_sample_frames=False, return_tensors="np")["pixel_values_videos"].shape[1] == 12


def test_numbers_and_rates_are_the_published_ones() -> None:
    for total, fps in [(1, 25.0), (7, 30.0), (100, 29.97), (333, 24.0)]:
        for way in ({"num_frames": 1}, {"num_frames": min(total, 7)}, {"fps": 1}, {"fps": 2.5}, {}):
            parameters = VideoParameters(**way)
            found = sampled(VideoMetadata(total, fps), parameters, "videos").frames_indices
            expected = default_sample_indices_fn(PublishedMetadata(total_num_frames=total, fps=fps), **way)
            assert list(found) == expected.tolist()
    assert hasattr(BaseVideoProcessor, "sample_frames")


def test_only_frames_that_are_kept_take_memory(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame is brought to its final size as it is decoded, and decoding ends with the last one."""
    seen = []
    real = decoding._frames

    def watched(*args: Any) -> Any:
        *others, keep = args
        return real(*others, lambda frame, name: seen.append(frame.shape) or keep(frame, name))

    monkeypatch.setattr(decoding, "_frames", watched)
    VideoProcessor(size=8)(data, num_frames=3)
    assert len(seen) == 3
    with pytest.raises(PreprocessorError, match="videos: 12 frames would be taken, more than max_frames=10; pass num"):
        VideoProcessor(size=8, max_frames=10)(data)


def sound() -> bytes:
    """A file without a picture."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(800))
    return buffer.getvalue()


def test_bad_files(processor: VideoProcessor, data: bytes, tmp_path: Path) -> None:
    text = tmp_path / "film.mp4"
    text.write_text("no film")
    playlist = tmp_path / "film.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/secret.ts\n")
    for bad, message in {
        text: r"videos\[1\] \(.*film.mp4\) is no video that can be read, or it is damaged",
        data[: len(data) // 2]: r"videos\[1\] is no video that can be read, or it is damaged",
        b"": r"videos\[1\] is empty: 0 bytes",
        sound(): r"videos\[1\] has no video stream; it has audio",
        "film.mp4": r"videos\[1\] is 'film.mp4': no such file",
        playlist: r"videos\[1\] .* damaged",
        "http://127.0.0.1/film.mp4": r"videos\[1\]: .* inside our own network",
    }.items():
        with pytest.raises(PreprocessorError, match=message):
            processor([data, bad])
    broken = bytearray(data)
    start = data.index(b"mdat") + 4 + len(data) // 4
    broken[start : start + 300] = bytes(300)
    with pytest.raises(PreprocessorError, match=r"videos\[0\], frame \d+, (is damaged|cannot be decoded)"):
        processor([bytes(broken)])
    assert processor(bytes(broken), num_frames=1, return_tensors="np")["pixel_values_videos"].shape[1] == 1


@pytest.mark.parametrize("format", ["avi", "matroska"])
def test_a_film_cut_in_the_middle(processor: VideoProcessor, format: str) -> None:
    """Both begin with a header that says how long the whole was."""
    whole = encoded(film(count=20, rate=5), rate=5, format=format)
    assert processor(whole, num_frames=2, return_tensors="np")["pixel_values_videos"].shape[1] == 2
    with pytest.raises(
        PreprocessorError, match=r"videos\[1\] is (cut off|no video that can be read, or it is damaged)"
    ):
        processor([whole, whole[: len(whole) // 2]], num_frames=2)


def test_processors_that_do_more_than_their_files_say() -> None:
    with pytest.raises(PreprocessorError, match="Qwen2VL's processor, which does more than its keys say"):
        VideoProcessor(video_processor_type="Qwen2VLVideoProcessor")

    class OfAFamily(VideoProcessor):
        """Brings the further steps."""

    assert OfAFamily(video_processor_type="Qwen2VLVideoProcessor").patch_size == 14


def test_bad_frames_and_choices(processor: VideoProcessor, frames: np.ndarray, data: bytes) -> None:
    one = processor(frames[:1], return_tensors="np")["pixel_values_videos"]
    assert one.shape == processor(frames[0], return_tensors="np")["pixel_values_videos"].shape == (1, 1, 3, 8, 8)
    assert processor(encoded(frames[:1]), return_tensors="np")["pixel_values_videos"].shape == (1, 1, 3, 8, 8)
    nan = np.full((3, 9, 9, 3), np.nan)
    uneven = [frames[0], frames[1][:, :20]]
    for given, options, message in [
        (frames[:1], {"num_frames": 16}, "videos has 1 frames; 16 cannot be taken"),
        (frames, {"fps": 2}, r"videos is frames without a clock; .*video_metadata="),
        (data, {"timestamps": [0.5, 3]}, "videos ends after 1.20 seconds; there is no frame at 3"),
        (data, {"timestamps": [0.5], "fps": 2}, "fps and timestamps exclude each other"),
        (data, {"num_frames": 0}, "num_frames is 0: Input should be greater than 0"),
        (data, {"frames": 3}, "VideoProcessor has no parameter 'frames'"),
        ([frames, nan], {}, r"videos\[1\], frame 0, holds NaN"),
        ([uneven], {"do_resize": False}, r"videos\[0\] has frames of different sizes"),
        ([frames, []], {}, r"videos\[1\] has no frames"),
        ([], {}, "videos is an empty list"),
        (7, {}, "videos is a int; a video is a path"),
        (["a", 7], {}, r"videos\[0\] is 'a': no such file"),
        ([frames, 7], {}, r"videos\[1\] is a int, no file and no frames"),
        (frames, {"video_metadata": [{"fps": 1}, {"fps": 2}]}, "video_metadata is for 2 videos; there are 1"),
        (frames, {"video_metadata": {"fps": -1}}, "video_metadata has fps=-1"),
        ([frames, frames[:3]], {"return_tensors": "pt"}, "the videos have 3 to 12 frames and cannot become one tensor"),
    ]:
        with pytest.raises(PreprocessorError, match=message):
            processor(given, **options)
