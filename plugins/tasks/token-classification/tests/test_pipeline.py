"""Entities of texts, held against transformers' pipeline on the same folder."""

import warnings
from pathlib import Path
from typing import Any

import pytest
import transformers

from modelry import pipeline
from modelry.errors import ModelryWarning, PipelineError

TEXTS = [
    "The rain came; then the sea-roof, and Ömer's tin inn.",
    "who is by the windmill? the innkeeper of the sea ☂ inn",
    "rain",
]
LONG = " ".join(TEXTS) * 4
STRATEGIES = ("none", "simple", "first", "average", "max")


@pytest.fixture
def both(folder: Path) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = transformers.pipeline("token-classification", model=str(folder), device="cpu")
    return pipeline("token-classification", model=folder, device="cpu"), other


def close(found: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        assert found == {**expected, "score": pytest.approx(float(expected["score"]), abs=1e-5)}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_as_transformers_has_it(both: tuple[Any, Any], strategy: str) -> None:
    ours, other = both
    for options in ({}, {"ignore_labels": []}, {"ignore_labels": ["O", "SEA", "B-SEA"]}):
        wanted = {"aggregation_strategy": strategy, **options}
        for text in TEXTS:
            close(ours(text, **wanted), other(text, **wanted))
        close(ours(TEXTS, batch_size=2, **wanted), other(TEXTS, **wanted))


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
def test_windows_of_a_long_text(both: tuple[Any, Any], strategy: str) -> None:
    ours, other = both
    for stride in (0, 5, 20):
        wanted = {"aggregation_strategy": strategy, "stride": stride}
        close(ours(LONG, **wanted), other(LONG, **wanted))
        close(ours([LONG, TEXTS[0]], batch_size=3, **wanted), other([LONG, TEXTS[0]], **wanted))
    found = ours(LONG, aggregation_strategy=strategy, stride=5)
    assert found[-1]["end"] > len(LONG) - 60


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_words(both: tuple[Any, Any], strategy: str) -> None:
    ours, other = both
    split = [text.split() for text in TEXTS]
    for delimiter in (" ", " | "):
        wanted = {"aggregation_strategy": strategy, "is_split_into_words": True, "delimiter": delimiter}
        close(ours(split[0], **wanted), other(split[0], **wanted))
        close(ours(split, batch_size=2, **wanted), other(split, **wanted))


def test_a_long_text_without_windows_is_told(both: tuple[Any, Any]) -> None:
    with pytest.warns(ModelryWarning, match="longer than the 64 tokens of one window.*pass stride="):
        found = both[0](LONG)
    close(found, both[1](LONG))


def test_items_that_are_no_words(both: tuple[Any, Any]) -> None:
    with pytest.raises(PipelineError, match="an item is a list of words; found str"):
        both[0]("one text", is_split_into_words=True)
    with pytest.raises(PipelineError, match="a text is needed"):
        both[0]([["a", "list"]])


def test_what_is_shown(both: tuple[Any, Any]) -> None:
    found = both[0](TEXTS[0])
    assert len(both[0].display(found).splitlines()) == len(found)
