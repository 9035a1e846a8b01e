"""Answers on pictures: masks, boxes, depth and labels, for the `draw` of tasks. Fonts and legends: lettering.py.

Pictures come out as RGB, upright, at most LARGEST pixels wide or high; tiny ones are enlarged.
"""

import colorsys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelry.pipelines.lettering import Colour, Entry, fitted, font_for, readable_on, text_size, with_legend
from modelry.preprocessing.images.loading import load, pillow

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST = 4096
SMALLEST = 256
"""The longer side of what is shown."""
_TINT = 0.5
"""How much of a mask's colour lies on the picture."""
_PALETTE = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (213, 94, 0), (0, 114, 178), (240, 228, 66))
"""Told apart by people of every colour vision. Okabe and Ito 2008, https://jfly.uni-koeln.de/color/."""
_NEAR_TO_FAR: tuple[Colour, Colour, Colour] = ((30, 15, 110), (205, 70, 110), (250, 240, 120))
"""Of the smallest, the middle and the largest value of a map: ever lighter, so that it can be read without colours."""


@dataclass(frozen=True)
class Mark:
    """A thing that was found in a picture, with its box, its mask, or both."""

    label: str
    score: float | None = None
    box: Sequence[float] | None = None
    """Left, top, right, bottom in pixels of the picture."""
    mask: "Image | None" = None
    """Grey, of the picture's size; a pixel from 128 on belongs to it."""


def draw_marks(picture: "Image", marks: Sequence[Mark]) -> "Image":
    """The picture with masks tinted, things outlined, boxes named, and a legend. A label has one colour.

    Raises:
        PreprocessorError: it is no picture.
        ValueError: a mask is not of the picture's size.
    """
    shown, size = in_view(picture)
    count = Counter(mark.label for mark in marks)
    colours = {label: colour_of(number) for number, label in enumerate(count)}
    width = max(2, max(shown.size) // 400)
    for mark in marks:
        if mark.mask is not None:
            if mark.mask.size != size:
                raise ValueError(
                    f"the mask of {mark.label!r} has {mark.mask.size} pixels and the picture {size}: draw on the "
                    "picture that the answer is about"
                )
            _tint(shown, mark.mask, colours[mark.label], width)
    scale = (shown.width / size[0], shown.height / size[1])
    boxes = [(mark, _placed(mark.box, scale, shown)) for mark in marks if mark.box is not None]
    for mark, box in boxes:
        _outline(shown, box, colours[mark.label], width)
    for mark, box in boxes:
        _name(shown, box, _told(mark, 1), colours[mark.label], width)
    first = {mark.label: mark for mark in reversed(marks)}
    entries = [Entry(_told(first[label], many), colours[label]) for label, many in count.items()]
    return with_legend(shown, entries or [Entry("nothing was found")])


def draw_labels(picture: "Image", labels: Sequence[tuple[str, float]]) -> "Image":
    """The picture with its labels and their scores beneath, in the order given.

    Raises:
        PreprocessorError: it is no picture.
    """
    return with_legend(in_view(picture)[0], [Entry(f"{score:.4f} {label}") for label, score in labels])


def draw_map(picture: "Image", grey: "Image", smallest: float, largest: float) -> "Image":
    """The picture, and beside or beneath it a map of values in colours; the legend says which is what.

    Args:
        grey: of any size; black is the smallest value, white the largest.

    Raises:
        PreprocessorError: it is no picture.
    """
    from PIL import Image, ImageOps

    shown, _ = in_view(picture)
    dark, middle, light = _NEAR_TO_FAR
    resized = grey.convert("L").resize(shown.size, pillow().Resampling.BILINEAR)
    coloured = ImageOps.colorize(resized, dark, light, middle)
    lies = shown.width > shown.height
    place = (0, shown.height) if lies else (shown.width, 0)
    both = Image.new("RGB", (shown.width + place[0], shown.height + place[1]))
    both.paste(shown, (0, 0))
    both.paste(coloured, place)
    values = (smallest, (smallest + largest) / 2, largest)
    return with_legend(both, [Entry(f"{value:.4g}", one) for value, one in zip(values, _NEAR_TO_FAR, strict=True)])


def in_view(picture: "Image") -> tuple["Image", tuple[int, int]]:
    """A copy to draw on, of a size to be looked at, and the picture's own (width, height), upright.

    Raises:
        PreprocessorError: it is no picture.
    """
    from PIL import Image

    upright = load(picture, "the picture")
    whole: Image.Image = upright if isinstance(upright, Image.Image) else Image.fromarray(upright)
    width, height = whole.size
    longest = max(width, height)
    if longest > LARGEST:
        size = (max(1, width * LARGEST // longest), max(1, height * LARGEST // longest))
        return whole.convert("RGB").resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0), (width, height)
    factor = -(-SMALLEST // longest)  # a whole number, rounded up, so that pixels stay squares
    size = (width * factor, height * factor)
    return whole.convert("RGB").resize(size, Image.Resampling.NEAREST), (width, height)


def colour_of(number: int) -> Colour:
    """The number-th colour: a palette, then hues around the circle, each far from those before."""
    if number < len(_PALETTE):
        return _PALETTE[number]
    hue = (number * 0.618034) % 1  # the golden ratio never comes back to where it was
    red, green, blue = colorsys.hsv_to_rgb(hue, (0.9, 0.55)[number % 2], (0.95, 0.7)[number // 2 % 2])
    return round(red * 255), round(green * 255), round(blue * 255)


def _told(mark: Mark, many: int) -> str:
    if many > 1:
        return f"{mark.label} x {many}"
    return mark.label if mark.score is None else f"{mark.label} {mark.score:.2f}"


def _tint(shown: "Image", mask: "Image", colour: Colour, width: int) -> None:
    """Colour a mask's pixels, and its border stronger."""
    from PIL import ImageChops

    inside = mask.convert("L").resize(shown.size, pillow().Resampling.NEAREST).point([0] * 128 + [255] * 128)
    bounds = inside.getbbox()
    if bounds is None:
        return
    left, top, right, bottom = bounds
    left, top = left - width, top - width
    part = inside.crop((left, top, right + width, bottom + width))  # beyond the picture there is none of the mask
    shown.paste(colour, (left, top), part.point([round(value * _TINT) for value in range(256)]))
    inner = part
    for across, down in ((width, 0), (-width, 0), (0, width), (0, -width)):
        inner = ImageChops.darker(inner, ImageChops.offset(part, across, down))
    shown.paste(colour, (left, top), ImageChops.subtract(part, inner))


def _placed(box: Sequence[float], scale: tuple[float, float], shown: "Image") -> tuple[float, float, float, float]:
    """A box in the pixels of what is shown, inside of it."""
    left, right = sorted(min(max(box[side] * scale[0], 0), shown.width - 1) for side in (0, 2))
    top, bottom = sorted(min(max(box[side] * scale[1], 0), shown.height - 1) for side in (1, 3))
    return left, top, right, bottom


def _outline(shown: "Image", box: tuple[float, float, float, float], colour: Colour, width: int) -> None:
    from PIL import ImageDraw

    ImageDraw.Draw(shown).rectangle(box, outline=colour, width=width)


def _name(shown: "Image", box: tuple[float, float, float, float], text: str, colour: Colour, width: int) -> None:
    """A text in its colour's box, above the box it names; inside of it where there is no room above."""
    from PIL import ImageDraw

    size = text_size(shown)
    pad, high = size // 4, size * 3 // 2
    text = fitted(text, max(shown.width - 2 * pad, 1), size)
    font = font_for(text, size)
    wide = round(font.getlength(text)) + 2 * pad
    left = max(0, min(box[0], shown.width - wide))
    top = box[1] - high if box[1] >= high else min(box[1] + width, max(0, shown.height - high))
    draw = ImageDraw.Draw(shown)
    draw.rectangle((left, top, left + wide, top + high), fill=colour)
    draw.text((left + pad, top + high / 2), text, fill=readable_on(colour), font=font, anchor="lm")
