"""Marks, labels and maps on pictures: where they lie, in which colours, on large and tiny pictures."""

import numpy as np
import pytest
from PIL import Image

from modelry.errors import PreprocessorError
from modelry.pipelines import drawing
from modelry.pipelines.drawing import Mark, colour_of, draw_labels, draw_map, draw_marks, in_view
from modelry.pipelines.lettering import Entry, with_legend

GREY = (120, 120, 120)


def plain(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), GREY)


def mask_of(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


def test_a_mask_is_tinted_and_outlined_and_nothing_else_changes() -> None:
    picture = plain(400, 300)
    drawn = np.asarray(draw_marks(picture, [Mark("cat", mask=mask_of((400, 300), (100, 50, 200, 150)))])).astype(int)
    assert np.asarray(picture)[100, 150].tolist() == list(GREY)  # the picture itself is as it was
    colour = np.array(colour_of(0))
    assert drawn.shape[0] > 300  # the legend
    assert drawn[100, 150] == pytest.approx((colour + GREY) / 2, abs=1)
    assert drawn[50, 150].tolist() == drawn[149, 199].tolist() == colour.tolist()
    outside = np.ones((300, 400), dtype=bool)
    outside[50:150, 100:200] = False
    assert (drawn[:300, :400][outside] == GREY).all()


def test_labels_have_a_colour_each_and_the_legend_counts_them() -> None:
    boxes = [Mark("cat", 0.9, box=(10, 40, 100, 100)), Mark("dog", 0.8, box=(150, 40, 200, 100))]
    one = np.asarray(draw_marks(plain(300, 200), boxes))
    assert one[100, 50].tolist() == list(colour_of(0))
    assert one[100, 180].tolist() == list(colour_of(1))
    legend = one[200:].reshape(-1, 3).tolist()
    assert list(colour_of(0)) in legend
    assert list(colour_of(1)) in legend
    again = np.asarray(draw_marks(plain(300, 200), [*boxes, Mark("cat", 0.7, box=(20, 120, 80, 150))]))
    assert again.shape == one.shape
    assert (again[200:] != one[200:]).any()  # "cat x 2" in place of "cat 0.90"


def test_a_box_beyond_the_picture_ends_at_its_border_and_is_named_inside() -> None:
    drawn = np.asarray(draw_marks(plain(300, 200), [Mark("bird", 0.5, box=(-50, -20, 400, 500))]))
    for at in ((199, 150), (100, 0), (100, 299)):
        assert drawn[at].tolist() == list(colour_of(0))
    turned = np.asarray(draw_marks(plain(300, 200), [Mark("bird", 0.5, box=(200, 150, 100, 100))]))
    assert turned[150, 150].tolist() == list(colour_of(0))


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (1, 700), (700, 1), (255, 40)])
def test_tiny_pictures_are_enlarged_by_whole_numbers_until_they_can_be_looked_at(size: tuple[int, int]) -> None:
    mark = Mark("a thing with a very long name that has no room " * 9, 0.5, (0, 0, *size), mask_of(size, (0, 0, *size)))
    drawn = draw_marks(plain(*size), [mark])
    assert max(drawn.size) >= 256
    assert drawn.height > size[1]
    shown, own = in_view(plain(*size))
    assert own == size
    assert shown.width % size[0] == shown.height % size[1] == 0


def test_large_pictures_are_shown_smaller_with_their_marks_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LARGEST", 400)
    mark = Mark("left half", None, (0, 0, 499, 250), mask_of((1000, 250), (0, 0, 500, 250)))
    drawn = np.asarray(draw_marks(plain(1000, 250), [mark])).astype(int)
    assert drawn.shape[1] == 400
    tinted = (np.array(colour_of(0)) + GREY) / 2
    assert drawn[60, 150] == pytest.approx(tinted, abs=1)
    assert drawn[60, 250].tolist() == list(GREY)
    assert in_view(plain(1000, 1))[0].size == (400, 1)


def test_nothing_found_is_said() -> None:
    drawn = np.asarray(draw_marks(plain(300, 200), []))
    assert (drawn[:200] == GREY).all()
    assert drawn[200:].min() < 100  # letters


def test_a_mask_of_another_picture_is_refused() -> None:
    with pytest.raises(ValueError, match=r"mask of 'cat' has \(30, 20\) pixels and the picture \(20, 30\)"):
        draw_marks(plain(20, 30), [Mark("cat", mask=Image.new("L", (30, 20)))])
    with pytest.raises(PreprocessorError, match="nothing to see"):
        in_view(Image.new("RGB", (0, 3)))


def test_an_empty_mask_colours_nothing() -> None:
    drawn = np.asarray(draw_marks(plain(300, 200), [Mark("cat", mask=Image.new("L", (300, 200)))]))
    assert (drawn[:200] == GREY).all()


def test_pictures_of_every_mode_lie_upright() -> None:
    held = plain(300, 200)
    held.getexif()[0x0112] = 6  # the camera was held upright
    assert in_view(held)[0].size == (200, 300)
    for mode in ("L", "P", "RGBA", "CMYK", "1", "I;16"):
        assert in_view(Image.new(mode, (300, 200)))[0].mode == "RGB"


def test_labels_are_written_beneath() -> None:
    drawn = np.asarray(draw_labels(plain(300, 200), [("cat", 0.75), ("dog", -1.5)]))
    assert (drawn[:200] == GREY).all()
    assert drawn[200:].min() < 100
    assert draw_labels(plain(300, 200), [(f"label {number}", 0.1) for number in range(500)]).height < 1200


@pytest.mark.parametrize(("size", "place"), [((300, 200), (0, 200)), ((200, 300), (200, 0))])
def test_a_map_stands_beside_its_picture(size: tuple[int, int], place: tuple[int, int]) -> None:
    grey = Image.fromarray(np.linspace(0, 255, 100).astype(np.uint8)[None].repeat(4, axis=0))
    drawn = np.asarray(draw_map(plain(*size), grey, 0.5, 20.0)).astype(int)
    assert (drawn[: size[1], : size[0]] == GREY).all()
    coloured = drawn[place[1] : place[1] + size[1], place[0] : place[0] + size[0]]
    assert (np.diff(coloured.sum(axis=2)[10]) >= -1).all()  # ever lighter
    assert coloured[10, 0].tolist() == [30, 15, 110]
    assert coloured[10, -1].tolist() == [250, 240, 120]


def test_many_colours_differ() -> None:
    assert len({colour_of(number) for number in range(200)}) > 190


def test_a_legend_wraps_and_widens() -> None:
    entries = [Entry("some words", (1, 2, 3)) for _ in range(9)]
    wide, narrow = with_legend(plain(900, 300), entries), with_legend(plain(300, 300), entries)
    assert wide.height < narrow.height
    assert (wide.width, narrow.width) == (900, 300)
    assert with_legend(plain(10, 900), entries).width > 200
