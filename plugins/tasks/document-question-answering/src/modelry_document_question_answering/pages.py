"""Documents as pictures of pages: image files, and PDF files through pypdfium2. One page at a time is held."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2  # type: ignore[import-untyped]  # it has no annotations
from PIL import Image
from pypdfium2.raw import FPDF_ERR_PASSWORD  # type: ignore[import-untyped]  # the same

from modelry.errors import PreprocessorError
from modelry.pipelines.urls import fetched
from modelry.preprocessing.images.loading import content, load
from modelry_document_question_answering.parameters import DocumentQuestionAnsweringParameters

DOTS_PER_INCH = 200
"""What Tesseract reads well: letters of a printed page are 25 pixels high and more."""
POINTS_PER_INCH = 72
MOST_PIXELS = 40_000_000
"""Of a page; a larger one has fewer dots per inch. An A0 sheet keeps 160."""
MOST_BYTES = 256 << 20
"""Of a file behind a URL."""
_MAGIC, _MAGIC_WITHIN = b"%PDF-", 1024


@dataclass(frozen=True)
class Page:
    """A page to be asked about."""

    number: int
    """From 1 on."""
    picture: Image.Image


def pages_of(document: Any, parameters: DocumentQuestionAnsweringParameters) -> Iterator[Page]:
    """The pages of a document that are asked about.

    Args:
        document: whatever an image may be; a path, a URL, bytes or base64 text may be a PDF file.

    Raises:
        PreprocessorError: it is neither, damaged, has no such page, or has a password that is not given.
    """
    name = "the document"
    value = fetched(document, parameters, name=name, max_bytes=MOST_BYTES)
    if isinstance(value, str | Path | bytes | bytearray | memoryview):
        value = content(value, name, parameters.allow_private)
        if _is_pdf(value, name):
            yield from _rendered(value, parameters)
            return
    if parameters.page not in (None, 1):
        raise PreprocessorError(f"page {parameters.page} is asked for, and the document is a picture: it has one page")
    yield Page(1, as_picture(value))


def as_picture(value: Any) -> Image.Image:
    """What a user gives as an image.

    Raises:
        PreprocessorError: it is none.
    """
    found = load(value, "the document")
    if isinstance(found, Image.Image):
        return found
    values = found if found.dtype.kind == "u" else (found.clip(0, 1) * 255).round().astype("uint8")
    return Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)


def _is_pdf(value: bytes | Path, name: str) -> bool:
    """Whether a file begins like a PDF file; some have a few bytes in front."""
    try:
        if isinstance(value, bytes):
            return _MAGIC in value[:_MAGIC_WITHIN]
        with value.open("rb") as file:
            return _MAGIC in file.read(_MAGIC_WITHIN)
    except OSError as error:
        raise PreprocessorError(f"{name} cannot be read: {error}") from error


def _rendered(value: bytes | Path, parameters: DocumentQuestionAnsweringParameters) -> Iterator[Page]:
    where = f"the document ({value})" if isinstance(value, Path) else "the document"
    try:
        document = pypdfium2.PdfDocument(value, password=parameters.password)
    except pypdfium2.PdfiumError as error:
        if error.err_code == FPDF_ERR_PASSWORD:
            told = "needs a password: pass password=" if parameters.password is None else "has another password"
            raise PreprocessorError(f"{where} is a PDF file that {told}") from error
        raise PreprocessorError(f"{where} is a damaged or truncated PDF file: {error}") from error
    with document:
        count = len(document)
        if not count:
            raise PreprocessorError(f"{where} is a PDF file without pages")
        if parameters.page is not None and parameters.page > count:
            raise PreprocessorError(f"page {parameters.page} is asked for, and {where} has {count}")
        wanted = range(1, count + 1) if parameters.page is None else (parameters.page,)
        for number in wanted:
            yield Page(number, _picture(document, number, where))


def _picture(document: Any, number: int, where: str) -> Image.Image:
    """A page, drawn."""
    try:
        page = document[number - 1]
        width, height = page.get_size()
        scale = DOTS_PER_INCH / POINTS_PER_INCH
        scale = min(scale, math.sqrt(MOST_PIXELS / max(width * height, 1.0)))
        picture: Image.Image = page.render(scale=scale).to_pil().convert("RGB")
        page.close()
    except pypdfium2.PdfiumError as error:
        raise PreprocessorError(f"page {number} of {where} is damaged: {error}") from error
    return picture
