"""Labels of texts, held against transformers' pipeline on the same folder."""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from modelry import Pipeline, pipeline
from modelry.errors import PipelineError

Make = Callable[..., Pipeline[Any]]
TEXTS = ["the rain came", "a tin roof by the sea, and then the inn", "who?"]
PAIR = {"text": "the rain came", "text_pair": "then the roof is a sea"}


def theirs(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return transformers.pipeline("text-classification", model=str(folder), device="cpu")


def close(found: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        assert found == {"label": expected["label"], "score": pytest.approx(expected["score"], abs=1e-5)}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"problem_type": "multi_label_classification"},
        {"problem_type": "regression"},
        {"id2label": {0: "degree"}},
    ],
)
def test_as_transformers_has_it(classifier: Make, tmp_path: Path, values: dict[str, Any]) -> None:
    ours, other = classifier(**values), theirs(tmp_path)
    for options in (
        {},
        {"top_k": None},
        {"top_k": 1},
        {"top_k": 2},
        *({"function_to_apply": name} for name in FUNCTIONS),
    ):
        for given in (TEXTS[0], TEXTS, PAIR, [PAIR, PAIR]):
            close(ours(given, **options), other(given, **options))
    close(ours(TEXTS, batch_size=2, top_k=3), other(TEXTS, batch_size=2, top_k=3))
    for cut in (
        {"truncation": True, "max_length": 5, "padding": True},
        {"truncation": "longest_first", "max_length": 24, "padding": "max_length"},
    ):
        close(ours(TEXTS, **cut), other(TEXTS, **cut))


FUNCTIONS = ("sigmoid", "softmax", "none")


def test_what_is_shown(classifier: Make) -> None:
    classify = classifier()
    lines = classify.display(classify(TEXTS[0], top_k=None)).splitlines()
    assert [line.split()[1] for line in lines] == [label["label"] for label in classify(TEXTS[0], top_k=3)]


def test_a_text_longer_than_the_model(classifier: Make) -> None:
    classify = classifier()
    found = classify(["rain", "rain " * 100], batch_size=2, on_error="return")
    assert found[0]["label"] in {"calm", "rain", "storm"}
    assert isinstance(found[1], PipelineError)
    assert "item 1" in str(found[1])
    assert "has 102 positions and the model 64: truncate it" in str(found[1])
    assert len(classify("rain " * 100, truncation=True)) == 1


@pytest.mark.parametrize(
    ("item", "message"), [({"words": "x"}, "keys \\['words'\\]"), ({"text": "a", "text_pair": 3}, "int")]
)
def test_items_that_are_no_texts(classifier: Make, item: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=message):
        classifier()(item)


def test_a_text_without_tokens(classifier: Make, tmp_path: Path) -> None:
    """Of a tokenizer that adds none: in a batch it would be answered by what is padding."""
    classifier()
    said = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**said, "post_processor": None}))
    classify = pipeline("text-classification", model=tmp_path, device="cpu")
    found = classify(["", "rain"], batch_size=2, on_error="return")
    assert "item 0 ('') failed: the text has no tokens" in str(found[0])
    assert found[1]["label"] in {"calm", "rain", "storm"}
