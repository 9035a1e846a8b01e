"""What is written on and beneath drawn pictures: fonts, texts cut to their room, and the legend."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont

Colour = tuple[int, int, int]

MOST_ENTRIES = 40
_BLACK, _WHITE, _GREY = (0, 0, 0), (255, 255, 255), (128, 128, 128)
_FONTS = ("NotoSansCJK-Regular.ttc", "DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf")
"""Where a text is more than ASCII, which is all that Pillow's own font has: the first of these that the system has."""


@dataclass(frozen=True)
class Entry:
    """A line of a legend."""

    text: str
    colour: Colour | None = None


def with_legend(picture: "Image", entries: Sequence[Entry]) -> "Image":
    """The picture with its entries beneath, side by side as far as they fit; wider where it is very narrow.

    Args:
        entries: of more than MOST_ENTRIES only their number is told.
    """
    from PIL import Image, ImageDraw

    size = text_size(picture)
    width, line = max(picture.width, 16 * size), size * 3 // 2
    more = len(entries) - MOST_ENTRIES
    told = [*entries[:MOST_ENTRIES], *([Entry(f"and {more} more")] if more > 0 else [])]
    rows = list(_rows(told, width, size))
    whole = Image.new("RGB", (width, picture.height + line * len(rows) + size // 2), _WHITE)
    whole.paste(picture, (0, 0))
    draw = ImageDraw.Draw(whole)
    for number, row in enumerate(rows):
        top = picture.height + size // 4 + line * number
        for left, text, colour in row:
            if colour is not None:
                square = (left, top + size // 4, left + size, top + size // 4 + size)
                draw.rectangle(square, fill=colour, outline=_GREY)
                left += size * 3 // 2
            draw.text((left, top + line / 2), text, fill=_BLACK, font=font_for(text, size), anchor="lm")
    return whole


def _rows(entries: Sequence[Entry], width: int, size: int) -> Iterator[list[tuple[int, str, Colour | None]]]:
    """Entries by row, each with where it begins."""
    row: list[tuple[int, str, Colour | None]] = []
    left = edge = size // 2
    for entry in entries:
        swatch = 0 if entry.colour is None else size * 3 // 2
        text = fitted(entry.text, width - 2 * edge - swatch, size)
        room = swatch + text_width(text, size)
        if row and left + room > width - edge:
            yield row
            row, left = [], edge
        row.append((left, text, entry.colour))
        left += room + size
    if row:
        yield row


def text_size(picture: "Image") -> int:
    """Height of letters, in pixels, that can be read where the whole picture is looked at."""
    return max(13, max(picture.size) // 50)


def fitted(text: str, width: int, size: int) -> str:
    """A text on one line that can be written, cut where it is wider than `width` pixels."""
    text = writable(" ".join(text.split())[:1000])
    if text_width(text, size) <= width:
        return text
    kept = len(text)
    while kept and text_width(f"{text[:kept]}...", size) > width:
        kept -= 1
    return f"{text[:kept].rstrip()}..."


def text_width(text: str, size: int) -> int:
    """In pixels."""
    return round(font_for(text, size).getlength(text))


def writable(text: str) -> str:
    """The text; where no font of the system has more than ASCII, its letters without accents, "?" for others."""
    if text.isascii() or _system_font(12) is not None:
        return text
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return plain.encode("ascii", "replace").decode()


def readable_on(colour: Colour) -> Colour:
    """Black or white, whichever stands out."""
    red, green, blue = colour
    return _BLACK if 299 * red + 587 * green + 114 * blue > 140_000 else _WHITE


def font_for(text: str, size: int) -> "FreeTypeFont":
    """Pillow's own font wherever it has the letters, so that pictures are the same on every machine."""
    return _own_font(size) if text.isascii() else _system_font(size) or _own_font(size)


@lru_cache(maxsize=64)
def _own_font(size: int) -> "FreeTypeFont":
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # with a size it is
    return font


@lru_cache(maxsize=64)
def _system_font(size: int) -> "FreeTypeFont | None":
    from PIL import ImageFont

    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return None
