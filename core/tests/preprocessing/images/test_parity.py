"""Pixel values equal the published processors' (transformers, Pillow backend) for every family's kind of settings."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import transformers
from PIL import Image

from modelry.preprocessing import ImageProcessor
from modelry.preprocessing.images.published import _TABLE, WITH_STEPS_OF_THEIR_OWN

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "vit": ("ViT", {}),
    "vit-tall-box": ("ViT", {"size": {"height": 48, "width": 30}, "resample": 4}),
    "vit-unscaled": ("ViT", {"do_rescale": False, "size": 32}),
    "vit-not-normalised": ("ViT", {"do_normalize": False, "size": 32}),
    "vit-untouched": ("ViT", {"do_normalize": False, "do_rescale": False, "size": [20, 30]}),
    "swin": ("ViT", {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "resample": 3}),
    "deit": ("DeiT", {"size": 64, "crop_size": 56}),
    "beit-crop": ("Beit", {"size": 64, "do_center_crop": True, "crop_size": {"height": 71, "width": 33}}),
    "clip": ("CLIP", {}),
    "clip-old": ("CLIP", {"size": 64, "crop_size": 64}),
    "clip-small-lanczos": ("CLIP", {"size": {"shortest_edge": 30}, "crop_size": 41, "resample": 1}),
    "clip-hamming": ("CLIP", {"size": {"shortest_edge": 31}, "crop_size": 31, "resample": 5}),
    "dinov2": ("Bit", {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}),
    "convnext-cropped": ("ConvNext", {"size": {"shortest_edge": 96}, "crop_pct": 0.875}),
    "convnext-old": ("ConvNext", {"size": 100, "crop_pct": 0.9}),
    "convnext-warped": ("ConvNext", {"size": {"shortest_edge": 384}}),
    "segformer": ("Segformer", {"size": {"height": 64, "width": 96}}),
    "siglip": ("Siglip", {"size": {"height": 64, "width": 64}}),
    "dpt": ("DPT", {"size": {"height": 64, "width": 64}}),
    "depth-anything": ("DPT", {"size": {"height": 98, "width": 98}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}),  # noqa: E501 - a table
    "zoe-like": ("DPT", {"size": {"height": 70, "width": 90}, "do_pad": True, "size_divisor": 32}),
    "donut": ("Donut", {"size": {"height": 120, "width": 90}}),
    "donut-aligned": ("Donut", {"size": {"height": 120, "width": 90}, "do_align_long_axis": True}),
    "donut-old": ("Donut", {"size": [90, 120], "do_thumbnail": True}),
    "detr": ("Detr", {"size": {"shortest_edge": 80, "longest_edge": 133}}),
    "detr-old": ("Detr", {"size": 80, "max_size": 100}),
    "detr-box": ("Detr", {"size": {"max_height": 60, "max_width": 70}}),
    "detr-pad-size": ("Detr", {"size": {"shortest_edge": 50, "longest_edge": 90}, "pad_size": {"height": 90, "width": 99}}),  # noqa: E501 - a table
    "rt-detr": ("RTDetr", {"size": {"height": 64, "width": 64}}),
    "conditional-detr": ("ConditionalDetr", {"size": {"shortest_edge": 30, "longest_edge": 40}}),
    "mask2former": ("Mask2Former", {"size": {"shortest_edge": 80, "longest_edge": 133}}),
    "maskformer": ("MaskFormer", {"size": {"shortest_edge": 80, "longest_edge": 133}, "size_divisor": 16}),
    "layoutlmv3": ("LayoutLMv3", {"apply_ocr": False, "size": {"height": 64, "width": 48}}),
    "llava": ("Llava", {"size": {"shortest_edge": 56}, "crop_size": 56}),
    "llava-squared": ("Llava", {"size": {"shortest_edge": 56}, "crop_size": 56, "do_pad": True}),
    "blip": ("Blip", {"size": {"height": 40, "width": 40}}),
    "pvt": ("Pvt", {"size": 40}),
    "mobilenet": ("MobileNetV2", {"size": {"shortest_edge": 50}, "crop_size": {"height": 45, "width": 46}}),
    "mobilevit": ("MobileViT", {"size": {"shortest_edge": 50}, "crop_size": {"height": 45, "width": 46}}),
    "mobilevit-old": ("MobileViT", {"size": 50, "crop_size": 45, "resample": 2}),
    "mobilevit-saved": ("MobileViT", {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}),
    "owlvit": ("OwlViT", {"size": {"height": 40, "width": 30}}),
}  # fmt: skip


def both(family: str, settings: dict[str, Any], folder: Path) -> tuple[ImageProcessor, Any]:
    """Ours, read from a file as published, and the oracle."""
    name = f"{family}ImageProcessor"
    (folder / "preprocessor_config.json").write_text(json.dumps({**settings, "image_processor_type": name}))
    return ImageProcessor.from_pretrained(folder), getattr(transformers, f"{name}Pil")(**settings)


def assert_equal(found: Any, expected: Any) -> None:
    """The same names, and every array of every image within 1e-5."""
    assert set(found) == set(expected)
    for name in expected:
        assert len(found[name]) == len(expected[name])
        for mine, theirs in zip(found[name], expected[name], strict=True):
            assert np.asarray(mine).dtype == np.asarray(theirs).dtype
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)


def test_every_published_name_is_known() -> None:
    """A name that is in neither list would be read as if its keys said everything."""
    suffix = "ImageProcessorPil"
    names = {name.removesuffix(suffix) for name in dir(transformers) if name.endswith(suffix)}
    said_by_their_keys = {"PPChart2Table", "PromptDepthAnything"}
    assert names - set(_TABLE) - WITH_STEPS_OF_THEIR_OWN == said_by_their_keys


@pytest.mark.parametrize("case", CASES)
def test_equals_the_published_processor(case: str, photographs: list[Image.Image], tmp_path: Path) -> None:
    ours, oracle = both(*CASES[case], tmp_path)
    assert_equal(ours(photographs), oracle(photographs))


@pytest.mark.parametrize("case", ["vit", "clip-old", "depth-anything", "detr", "convnext-cropped", "donut-aligned"])
def test_arrays_and_tensors(case: str, photographs: list[Image.Image], tmp_path: Path) -> None:
    """Channels first and last, whole numbers and values between 0 and 1."""
    import torch

    ours, oracle = both(*CASES[case], tmp_path)
    last = [np.asarray(one) for one in photographs]
    first = [np.ascontiguousarray(np.moveaxis(one, -1, 0)) for one in last]
    floats = [(one / 255).astype(np.float32) for one in first]
    expected = oracle(last)
    for images in (last, first, [torch.from_numpy(one) for one in first], [one.astype(np.int64) for one in last]):
        assert_equal(ours(images), expected)
    assert_equal(ours(first, input_data_format="channels_first"), expected)
    assert_equal(ours(floats, do_rescale=False), oracle(floats, do_rescale=False))


def test_values_between_0_and_1_in_their_own_size(photographs: list[Image.Image], tmp_path: Path) -> None:
    ours, oracle = both(*CASES["vit"], tmp_path)
    floats = [(np.asarray(one) / 255).astype(np.float32) for one in photographs]
    settings: dict[str, Any] = {"do_resize": False, "do_rescale": False}
    assert_equal(ours(floats, **settings), oracle(floats, **settings))


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "CMYK", "1"])
def test_modes(mode: str, photographs: list[Image.Image], tmp_path: Path) -> None:
    ours, oracle = both(*CASES["clip-old"], tmp_path)
    given = photographs[0].convert(mode)
    if mode in ("RGBA", "LA"):
        given.putalpha(photographs[0].convert("L"))
    assert_equal(ours(given), oracle(given))


def test_what_is_saved_means_the_same_there(photographs: list[Image.Image], tmp_path: Path) -> None:
    for case in ("clip-old", "detr-old", "convnext-old", "donut-old", "depth-anything", "mask2former"):
        ours, _ = both(*CASES[case], tmp_path)
        ours.save_pretrained(tmp_path)
        oracle = getattr(transformers, f"{CASES[case][0]}ImageProcessorPil").from_pretrained(tmp_path)
        assert_equal(ours(photographs), oracle(photographs))
        assert ImageProcessor.from_pretrained(tmp_path).to_dict() == ours.to_dict()
