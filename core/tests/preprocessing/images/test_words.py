"""Words of a picture: what Tesseract finds where it is installed, and what is said where it is not."""

import shutil
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.words import in_pixels, on_page, read_words

needs_tesseract = pytest.mark.skipif(
    shutil.which("tesseract") is None, reason="Tesseract is not installed: apt-get install tesseract-ocr"
)


@pytest.fixture
def page() -> Image.Image:
    made = Image.new("RGB", (600, 200), "white")
    draw = ImageDraw.Draw(made)
    draw.text((40, 30), "Invoice number", fill="black", font=ImageFont.load_default(36))
    draw.text((40, 120), "1234", fill="black", font=ImageFont.load_default(36))
    return made


@needs_tesseract
def test_words_and_where_they_stand(page: Image.Image) -> None:
    found = read_words(page)
    assert found.words == ["Invoice", "number", "1234"]
    assert found.size == (200, 600)
    left, top, right, bottom = found.boxes[2]
    assert 35 < left < right < 160
    assert 110 < top < bottom < 170
    assert found.normalised()[2] == on_page(found.boxes[2], (200, 600))


@needs_tesseract
def test_arrays_and_grey_pages(page: Image.Image) -> None:
    words = read_words(page).words
    pixels = np.asarray(page)
    for form in (pixels, pixels / 255.0, pixels[:, :, :1], page.convert("L")):
        assert read_words(form).words == words
    assert read_words(Image.new("RGB", (60, 60), "white")).words == []


@needs_tesseract
def test_a_language_that_is_not_there(page: Image.Image) -> None:
    with pytest.raises(PreprocessorError, match=r"Tesseract could not read the picture.*xyz"):
        read_words(page, language="xyz")


def test_without_tesseract(page: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    pytesseract = pytest.importorskip("pytesseract")
    monkeypatch.setattr(pytesseract.pytesseract, "tesseract_cmd", "no-such-program")
    with pytest.raises(PreprocessorError, match="apt-get install tesseract-ocr"):
        read_words(page)


def test_without_pytesseract(page: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytesseract", None)
    with pytest.raises(PreprocessorError, match=r"pip install 'modelry-core\[ocr\]'"):
        read_words(page)


def test_pixels_and_thousandths() -> None:
    assert on_page((30, 50, 599, 200), (200, 600)) == [50, 250, 998, 1000]
    assert in_pixels([50, 250, 998, 1000], (200, 600)) == (30, 50, 599, 200)
