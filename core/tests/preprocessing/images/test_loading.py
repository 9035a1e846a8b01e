"""Everything a user may have for an image, and what is said when it is none."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from modelry.errors import ModelryWarning, PreprocessorError, UnsafeAddress
from modelry.preprocessing import ImageProcessor
from modelry.preprocessing.images import loading

PLAIN = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}


@pytest.fixture
def processor() -> ImageProcessor:
    """To 8 × 8."""
    return ImageProcessor(**PLAIN)


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def test_every_kind_of_input_is_the_same_image(
    processor: ImageProcessor, photographs: list[Image.Image], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = photographs[0]
    data = encoded(image)
    path = tmp_path / "http_cat.png"
    path.write_bytes(data)
    text = base64.b64encode(data).decode()
    wrapped = "\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    monkeypatch.setattr(loading, "fetch", lambda url, allow_private, max_bytes: data if allow_private else b"")
    expected = processor(image, return_tensors="np")["pixel_values"]
    assert expected.shape == (1, 3, 8, 8)
    assert expected.dtype == np.float32
    kinds = [path, str(path), data, bytearray(data), memoryview(data), text, wrapped, f"data:image/png;base64,{text}"]
    kinds += [np.asarray(image), np.asarray(image).tolist(), "https://example.org/cat.png"]
    found = processor([*kinds, [image, [image]]], return_tensors="np", allow_private=True)["pixel_values"]
    assert found.shape == (len(kinds) + 2, 3, 8, 8)
    for one in found:
        np.testing.assert_array_equal(one, expected[0])
    stack = np.stack([np.asarray(image)] * 2)
    np.testing.assert_array_equal(processor(stack, return_tensors="np")["pixel_values"][1], expected[0])
    tensors = processor(image, return_tensors="pt")["pixel_values"]
    np.testing.assert_array_equal(tensors.numpy(), expected)
    assert isinstance(processor(image)["pixel_values"], list)


def test_a_url_inside_our_network(processor: ImageProcessor) -> None:
    with pytest.raises(PreprocessorError, match=r"images\[1\]: 'http://127.0.0.1/x.png' leads to 127.0.0.1") as caught:
        processor([np.zeros((4, 4, 3), np.uint8), "http://127.0.0.1/x.png"])
    assert isinstance(caught.value.__cause__, UnsafeAddress)


def test_orientation(photographs: list[Image.Image]) -> None:
    """A camera held upright stores a turned picture and says so."""
    processor = ImageProcessor(do_rescale=False)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(photographs[0].rotate(90, expand=True), exif=exif)
    upright = processor([turned, photographs[0]])["pixel_values"]
    np.testing.assert_array_equal(upright[0], upright[1])


def test_sixteen_bits(processor: ImageProcessor) -> None:
    """The upper 8 bits are used; grey becomes RGB where the mean has three channels."""
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000
    deep = Image.fromarray(values)
    found = ImageProcessor(do_rescale=False, do_convert_rgb=True)([encoded(deep), encoded(deep, "TIFF"), deep])
    for one in found["pixel_values"]:
        np.testing.assert_array_equal(one, np.stack([values >> 8] * 3).astype(np.uint8))
    shallow = Image.fromarray(np.full((8, 8), 200, np.int32))
    assert ImageProcessor(do_rescale=False)(shallow)["pixel_values"][0].max() == 200
    with pytest.raises(PreprocessorError, match="images has values from 70000 to 70000, more than 16 bits"):
        processor(Image.fromarray(np.full((8, 8), 70000, np.int32)))
    with pytest.raises(PreprocessorError, match=r"images has floating-point pixels \(mode F\)"):
        processor(Image.fromarray(np.zeros((8, 8), np.float32)))
    with pytest.raises(PreprocessorError, match=r"whole numbers from 0 to 63000 \(uint16\).*Divide 16-bit"):
        processor(values)


def test_palette_cmyk_and_transparency(processor: ImageProcessor, photographs: list[Image.Image]) -> None:
    palette, cmyk = photographs[0].convert("P"), photographs[0].convert("CMYK")
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    chosen = Image.new("P", (8, 8), 0)
    chosen.putpalette([255, 0, 0, 0, 255, 0])
    found = processor(
        [encoded(palette), encoded(cmyk, "JPEG"), encoded(clear), encoded(chosen, transparency=0)], return_tensors="np"
    )["pixel_values"]
    assert found.shape == (4, 3, 8, 8)
    assert (found[2:] == 1).all(), "transparency shows white"


def test_animated(processor: ImageProcessor, photographs: list[Image.Image]) -> None:
    frames = [one.resize((20, 20)) for one in photographs]
    for format in ("GIF", "PNG", "TIFF"):
        data = encoded(frames[0], format, save_all=True, append_images=frames[1:])
        with pytest.warns(ModelryWarning, match=r"images\[1\] has 3 frames or pages; the first is used"):
            processor([frames[0], data])


def damaged(photographs: list[Image.Image]) -> dict[str, tuple[Any, str]]:
    """What cannot be used -> what is said."""
    jpeg, png = encoded(photographs[0], "JPEG"), encoded(photographs[0])
    nan = np.zeros((3, 9, 9), np.float32)
    nan[1, 2, 3] = np.nan
    return {
        "truncated jpeg": (jpeg[: len(jpeg) // 2], "damaged or truncated image"),
        "truncated png": (png[:200], "damaged or truncated image"),
        "empty": (b"", "is empty: 0 bytes"),
        "zero-sized image": (Image.new("RGB", (0, 5)), "has 5 × 0 pixels: there is nothing to see"),
        "zero-sized array": (np.zeros((0, 5, 3), np.uint8), r"has the shape \(0, 5, 3\): there is nothing to see"),
        "channels": (np.zeros((9, 9, 5), np.uint8), r"has the shape \(9, 9, 5\): no axis of 1, 3 or 4 channels"),
        "dimensions": (np.zeros(9, np.uint8), r"has the shape \(9,\); an image has 2 or 3 dimensions"),
        "NaN": (nan, "holds NaN or infinite values"),
        "range": (nan * 0 + 3.5, r"has values from nan|holds NaN"),
        "too high": (np.full((9, 9, 3), 1.5), "has values from 1.5 to 1.5; to be resized they lie between 0 and 1"),
        "negative": (np.full((9, 9, 3), -1), "whole numbers from -1 to -1"),
        "text array": (np.full((9, 9, 3), "x"), "is an array of <U1, not of numbers"),
        "no file": ("cat.png", "is 'cat.png': no such file, and no URL, data: URI or base64 text either"),
        "no path": (Path("nowhere/cat.png"), "is 'nowhere/cat.png', which is no file"),
        "folder": (Path(__file__).parent, "which is no file"),
        "no base64": ("ä" * 80, "no such file, and no valid base64 text"),
        "data URI": ("data:image/png,abc", "is a data: URI without base64 content"),
        "scheme": ("ftp://example.org/x.png", "only http:// and https:// URLs are"),
        "number": (7, "is a int; an image is a path, a URL"),
        "ragged": ([[1, 2], [3]], "nested list whose rows differ in length"),
    }


@pytest.mark.parametrize("case", damaged([Image.new("RGB", (64, 64), (9, 200, 30))]))
def test_damaged(case: str, processor: ImageProcessor, photographs: list[Image.Image]) -> None:
    """The error names the item."""
    bad, message = damaged(photographs)[case]
    with pytest.raises(PreprocessorError, match=rf"images\[1\].*({message})"):
        processor([photographs[0], bad])


def test_a_text_named_png(processor: ImageProcessor, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_text("This is no picture.\n")
    with pytest.raises(
        PreprocessorError, match=r"images \(.*photo.png\) is no image .* 20 bytes that begin with b'This"
    ):
        processor(path)
    with pytest.raises(PreprocessorError, match="images is an empty list"):
        processor([])


def test_an_array_may_be_a_view_of_one_pixel(processor: ImageProcessor) -> None:
    everywhere = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (40_000, 40_000, 3))
    with pytest.raises(PreprocessorError, match="images has 40000 × 40000 pixels; the limit is"):
        processor(everywhere)


def test_no_memory_bomb(processor: ImageProcessor, tmp_path: Path) -> None:
    """40,000 × 40,000 is refused by its header; a thin line is not blown up."""
    header = PngImagePlugin.PngInfo()
    small = encoded(Image.new("1", (8, 8)), pnginfo=header)
    start = small.index(b"IHDR") + 4
    import struct
    import zlib

    body = b"IHDR" + struct.pack(">II", 40_000, 40_000) + small[start + 8 : start + 13]
    bomb = small[: start - 4] + body + struct.pack(">I", zlib.crc32(body)) + small[start + 17 :]
    with pytest.raises(PreprocessorError, match=r"images\[0\] is too large: .*1600000000 pixels.*MAX_IMAGE_PIXELS"):
        processor([bomb])
    line = np.zeros((200_000, 1, 3), np.uint8)
    with pytest.raises(PreprocessorError, match="images has 200000 × 1 pixels, and `size` would make 44800000 × 224"):
        ImageProcessor(size={"shortest_edge": 224})(line)


def test_channels_that_do_not_fit(processor: ImageProcessor) -> None:
    grey = np.zeros((9, 9), np.uint8)
    assert processor(grey, return_tensors="np")["pixel_values"].shape == (1, 3, 8, 8)
    with pytest.raises(PreprocessorError, match="images has 1 channels and image_mean has 3"):
        processor(grey, do_convert_rgb=False)
    alone = ImageProcessor(size=8, image_mean=0.5, image_std=0.5)
    assert alone(grey, return_tensors="np")["pixel_values"].shape == (1, 1, 8, 8)


def test_nothing_is_imported_too_early(run_fresh: Callable[..., str]) -> None:
    code = "import sys\nfrom modelry.preprocessing import ImageProcessor, VideoProcessor\nImageProcessor(size=8)\n"
    assert run_fresh(code + "print(sorted({'torch', 'PIL', 'av'} & set(sys.modules)))").strip() == "[]"
