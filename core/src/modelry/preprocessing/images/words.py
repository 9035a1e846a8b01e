"""The words on a picture and where they stand: Tesseract, through pytesseract.

pytesseract runs the program that the system has, so words are those that every user of Tesseract gets. tesserocr would
need the library's headers to be built, and brings a Tesseract of its own.
"""

from dataclasses import dataclass
from typing import Any

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.loading import Picture, pillow

PAGE = 1000
"""Both sides of a page in the unit of normalised boxes."""
Box = tuple[int, int, int, int]
"""Left, top, right and bottom."""
_INSTALL = (
    "install it (Debian and Ubuntu: apt-get install tesseract-ocr; macOS: brew install tesseract), or give the words "
    "and boxes yourself"
)


@dataclass(frozen=True)
class Words:
    """What was read, in reading order."""

    words: list[str]
    boxes: list[Box]
    """In pixels."""
    size: tuple[int, int]
    """(height, width) of the picture."""

    def normalised(self) -> list[list[int]]:
        """Boxes on a page of 1000 x 1000, rounded down, as document models are trained."""
        return [on_page(box, self.size) for box in self.boxes]


def on_page(box: Box, size: tuple[int, int]) -> list[int]:
    """A box in pixels of a picture of (height, width), on a page of 1000 x 1000."""
    height, width = size
    return [int(PAGE * (edge / whole)) for edge, whole in zip(box, (width, height, width, height), strict=True)]


def in_pixels(box: list[int], size: tuple[int, int]) -> Box:
    """A box of a page of 1000 x 1000, in pixels of a picture of (height, width)."""
    height, width = size
    left, top, right, bottom = (
        round(edge * whole / PAGE) for edge, whole in zip(box, (width, height, width, height), strict=True)
    )
    return left, top, right, bottom


def read_words(picture: Picture, *, language: str | None = None, settings: str = "") -> Words:
    """Read the words of a picture.

    Args:
        picture: as modelry.preprocessing.images.loading gives it.
        language: Tesseract's code ("eng", "deu", "eng+deu"); its own default when None.
        settings: further flags of the program ("--psm 6").

    Raises:
        PreprocessorError: Tesseract or pytesseract is not installed, or it fails: a language that it does not have.
    """
    module = _pytesseract()
    image = picture if hasattr(picture, "size") and not hasattr(picture, "shape") else _as_image(picture)
    try:
        found = module.image_to_data(image, lang=language, config=settings, output_type=module.Output.DICT)
    except module.TesseractNotFoundError as error:
        raise PreprocessorError(
            f"the words of a picture are read by Tesseract, which is not there: {_INSTALL}"
        ) from error
    except (module.TesseractError, OSError, RuntimeError) as error:
        raise PreprocessorError(f"Tesseract could not read the picture: {error}") from error
    words, boxes = [], []
    columns = (found[name] for name in ("text", "left", "top", "width", "height"))
    for word, left, top, width, height in zip(*columns, strict=True):
        if word.strip():
            words.append(word)
            boxes.append((left, top, left + width, top + height))
    return Words(words, boxes, (image.height, image.width))


def _pytesseract() -> Any:
    try:
        import pytesseract  # type: ignore[import-untyped]  # it has no annotations
    except ImportError as error:
        raise PreprocessorError(
            "the words of a picture are read through pytesseract, which is not installed. Run: pip install "
            f"'modelry-core[ocr]'; and where Tesseract itself is missing, {_INSTALL}"
        ) from error
    return pytesseract


def _as_image(array: Any) -> Any:
    """A PIL image of (H, W, C) numbers; floating ones are taken from 0 to 1."""
    values = array if array.dtype.kind == "u" else (array.clip(0, 1) * 255).round().astype("uint8")
    return pillow().fromarray(values[:, :, 0] if values.shape[2] == 1 else values)
