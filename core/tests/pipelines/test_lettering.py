"""Texts on pictures: cut where there is no room, in letters that some font has."""

import pytest

from modelry.pipelines import lettering
from modelry.pipelines.lettering import fitted, font_for, readable_on, text_width, writable


def test_a_long_text_is_cut() -> None:
    assert fitted("cat", 200, 14) == "cat"
    short = fitted("a cat that sits on a mat and looks at a bird", 120, 14)
    assert short.startswith("a cat")
    assert short.endswith("...")
    assert text_width(short, 14) <= 120
    assert fitted("cat\n and\tdog", 200, 14) == "cat and dog"
    assert len(fitted("x" * 10**6, 400, 14)) < 100


def test_letters_without_a_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "_system_font", lambda size: None)
    assert writable("café au lait, 猫") == "cafe au lait, ?"
    assert text_width(fitted("猫", 100, 14), 14) > 0


def test_letters_of_a_font_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    found = font_for("cat", 20)
    monkeypatch.setattr(lettering, "_system_font", lambda size: found)
    assert writable("猫") == "猫"
    assert font_for("猫", 14) is found
    assert font_for("cat", 14) is not found


def test_what_can_be_read() -> None:
    assert readable_on((240, 228, 66)) == (0, 0, 0)
    assert readable_on((0, 114, 178)) == (255, 255, 255)
