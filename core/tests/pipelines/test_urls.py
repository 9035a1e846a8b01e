"""URLs of items are fetched within what a call allows; nothing else is touched."""

from typing import Any

import numpy as np
import pytest

from modelry.errors import ParameterError, PreprocessorError, Unreachable
from modelry.pipelines import urls
from modelry.pipelines.parameters import read_parameters
from modelry.pipelines.sounds import read_sound_item
from modelry.pipelines.urls import UrlParameters, fetched

URL = "https://example.org/photo.png"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would have been fetched, and how."""
    seen: list[dict[str, Any]] = []

    def fetch(url: str, **options: Any) -> bytes:
        seen.append({"url": url, **options})
        if "missing" in url:
            raise Unreachable(f"{url} cannot be fetched")
        return b"content"

    monkeypatch.setattr(urls, "fetch", fetch)
    return seen


def test_limits_are_the_calls(asked: list[dict[str, Any]]) -> None:
    assert fetched(URL, UrlParameters(), name="the image") == b"content"
    assert fetched([URL, b"x"], UrlParameters(timeout=2, allow_private=True), name="the image", max_bytes=9) == [
        b"content",
        b"x",
    ]
    assert asked == [
        {"url": URL, "max_bytes": 64 << 20, "allow_private": None},
        {"url": URL, "max_bytes": 9, "allow_private": True, "timeout_seconds": 2.0},
    ]


def test_what_is_no_url_stays(asked: list[dict[str, Any]]) -> None:
    array = np.zeros((2, 2, 3))
    for value in ("photo.png", b"x", array, [array], "data:image/png;base64,AA==", 7):
        assert fetched(value, UrlParameters(), name="the image") is value
    assert asked == []


def test_a_failure_has_the_items_name(asked: list[dict[str, Any]]) -> None:
    with pytest.raises(PreprocessorError, match=r"the video: https://example.org/missing cannot be fetched"):
        fetched("https://example.org/missing", UrlParameters(), name="the video")


def test_a_sounds_path_may_be_a_url(asked: list[dict[str, Any]]) -> None:
    for item in (URL, {"audio": URL}, {"path": URL}, {"audio": {"path": URL}}):
        assert read_sound_item(item, UrlParameters()) == b"content"
    decoded = {"path": URL, "array": [0.0], "sampling_rate": 8000}
    assert read_sound_item(decoded, UrlParameters()) is decoded
    assert len(asked) == 4


def test_no_time_at_all() -> None:
    with pytest.raises(ParameterError, match="timeout"):
        read_parameters(UrlParameters, {"timeout": 0}, task="see")
