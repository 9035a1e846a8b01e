"""What preprocessor_config.json may say, and what is refused. The values of pixels are held in test_parity."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelry.errors import PreprocessorError
from modelry.preprocessing import ImageProcessor
from modelry.preprocessing.images import sizes

IMAGE = np.zeros((10, 20, 3), np.uint8)


def read(folder: Path, **values: Any) -> ImageProcessor:
    """From a file with these values."""
    (folder / "preprocessor_config.json").write_text(json.dumps(values))
    return ImageProcessor.from_pretrained(folder)


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"feature_extractor_type": "ViTFeatureExtractor", "size": 32}, {"height": 32, "width": 32}),
        ({"feature_extractor_type": "CLIPFeatureExtractor", "size": 32}, {"shortest_edge": 32}),
        (
            {"feature_extractor_type": "DetrFeatureExtractor", "size": 8, "max_size": 9},
            {"shortest_edge": 8, "longest_edge": 9},
        ),
        (
            {"feature_extractor_type": "DetrFeatureExtractor", "size": 800},
            {"shortest_edge": 800, "longest_edge": 1333},
        ),
        ({"feature_extractor_type": "DonutFeatureExtractor", "size": [9, 12]}, {"height": 12, "width": 9}),
        ({"image_processor_type": "ViTImageProcessorFast", "size": [9, 12]}, {"height": 9, "width": 12}),
        ({"size": {"height": 9, "width": 12, "shortest_edge": None}}, {"height": 9, "width": 12}),
        ({"min_pixels": 100, "max_pixels": 900}, {"min_pixels": 100, "max_pixels": 900}),
        ({"size": [7]}, {"height": 7, "width": 7}),
    ],
)
def test_forms_of_size(values: dict[str, Any], size: dict[str, int], tmp_path: Path) -> None:
    assert read(tmp_path, **values).size == size


def test_names_and_unknown_keys_are_kept(tmp_path: Path) -> None:
    made = read(tmp_path, feature_extractor_type="SegformerFeatureExtractor", reduce_labels=True, something={"new": 1})
    assert made.do_reduce_labels is True
    assert made.image_mean[0] == 0.485
    made.save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "preprocessor_config.json").read_text())
    assert saved["image_processor_type"] == "SegformerImageProcessor"
    assert saved["something"] == {"new": 1}
    assert "feature_extractor_type" not in saved
    assert ImageProcessor(size=4).to_dict()["image_processor_type"] == "ImageProcessor"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": {"height": 4}}, "size is {'height': 4}; it has one of these sets of keys: height and width;"),
        ({"size": [1, 2, 3]}, r"size is \[1, 2, 3\]; a list is \[height, width\]"),
        ({"size": {"height": 0, "width": 4}}, r"size.height is 0: Input should be greater than 0"),
        ({"size": "big"}, "size is 'big'"),
        ({"resample": "softly"}, "is no resampling filter; use nearest, lanczos"),
        ({"resample": 6}, "resample is 6"),
        ({"do_resize": True}, "do_resize is on, but there is no size"),
        ({"do_center_crop": True}, "do_center_crop is on, and crop_size is None"),
        ({"do_normalize": True}, "do_normalize is on, but image_mean or image_std is missing"),
        ({"image_mean": [0.5], "image_std": [0]}, "nothing can be divided by 0"),
        ({"do_thumbnail": True, "size": {"shortest_edge": 4}}, "need a size of height and width"),
        ({"pad_size": {"longest_edge": 4}}, "pad_size is {'longest_edge': 4}; give its height and width"),
        ({"do_crop_margin": True}, "do_crop_margin is True: Input should be False"),
        ({"image_processor_type": "NougatImageProcessor"}, "Nougat's processor, which does more than its keys"),
    ],
)
def test_refusals(values: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(PreprocessorError, match=message):
        read(tmp_path, **values)


def test_parameters_of_one_call() -> None:
    processor = ImageProcessor(size=4)
    assert processor(IMAGE, size={"shortest_edge": 5}, return_tensors="np")["pixel_values"].shape == (1, 3, 5, 10)
    assert processor.size == {"height": 4, "width": 4}
    with pytest.raises(PreprocessorError, match="ImageProcessor has no parameter 'do_resise'; did you mean do_resize"):
        processor(IMAGE, do_resise=False)
    with pytest.raises(PreprocessorError, match="return_tensors is 'tf'"):
        processor(IMAGE, return_tensors="tf")
    with pytest.raises(PreprocessorError, match=r"different sizes after resizing \(5 × 10, 10 × 5\)"):
        processor([IMAGE, IMAGE.swapaxes(0, 1)], size={"shortest_edge": 5}, return_tensors="np")
    with pytest.raises(PreprocessorError, match="pad_size is 3 × 3, less than an image's 4 × 4"):
        processor(IMAGE, do_pad=True, pad_size=3)
    with pytest.raises(PreprocessorError, match="more than the 4 × 4 it is padded to"):
        ImageProcessor(image_processor_type="DonutImageProcessor", size=[4, 4], do_thumbnail=False)(IMAGE)
    with pytest.raises(PreprocessorError, match="image_mean has 3 values and image_std 2"):
        processor(IMAGE, do_normalize=True, image_mean=[0.5] * 3, image_std=[0.5] * 2)


def test_parameters_that_are_set() -> None:
    processor = ImageProcessor(size=4, unknown=None)
    processor.parameters.do_rescale = False
    assert processor(IMAGE)["pixel_values"][0].dtype == np.uint8
    assert processor.size == {"height": 4, "width": 4}
    assert processor.unknown is None
    with pytest.raises(ValueError, match="do_normalize is on"):
        processor.parameters.do_normalize = True


def test_padding_to_multiples_and_masks() -> None:
    found = ImageProcessor(do_pad=True, size_divisor=8)([IMAGE + 255, IMAGE[:5, :5] + 255], return_tensors="np")
    assert found["pixel_values"].shape == (2, 3, 16, 24)
    assert found["pixel_mask"].dtype == np.int64
    np.testing.assert_array_equal(found["pixel_mask"], found["pixel_values"][:, 0])


def test_channels_may_be_turned_around() -> None:
    blue = np.full((9, 9, 3), [1, 2, 3], np.uint8)
    found = ImageProcessor(do_flip_channel_order=True, do_rescale=False)(blue)["pixel_values"][0]
    assert found[:, 0, 0].tolist() == [3, 2, 1]


def test_sizes() -> None:
    """What the published rules give, by hand; those of the oracle are in test_parity."""
    assert sizes.resized((10, 20), {"longest_edge": 10}) == (5, 10)
    assert sizes.resized((2000, 1), {"longest_edge": 10}) == (10, 1)
    assert sizes.pixel_count((10, 20), 28, 56 * 56, 28 * 28 * 1280) == (56, 84)


@pytest.mark.parametrize("extent", [(10, 20), (300, 77), (1999, 2500), (56, 56), (28, 5000)])
def test_pixel_counts(extent: tuple[int, int]) -> None:
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    for factor, fewest, most in [(28, 3136, 1003520), (14, 100, 10_000), (28, 500_000, 600_000)]:
        assert sizes.pixel_count(extent, factor, fewest, most) == smart_resize(*extent, factor, fewest, most)
    processor = ImageProcessor(size={"min_pixels": 100, "max_pixels": 900}, patch_size=4, merge_size=2)
    with pytest.raises(PreprocessorError, match="images has 300 × 1 pixels: one edge is more than 200 times the other"):
        processor(np.zeros((300, 1, 3), np.uint8))
