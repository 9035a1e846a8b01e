"""Labels that fit, held against transformers' pipeline on the same folder."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from modelry import pipeline
from modelry.errors import ModelryWarning, ParameterError, PipelineError

Make = Callable[..., Path]
TEXTS = ["the rain came by the sea", "who is the inn of a tin roof, and then where?", "rain"]
LABELS = ["rain", "the sea", "an inn"]
CLASSES = ("contradiction", "neutral", "entailment")


def close(found: Any, expected: Any) -> None:
    if isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            close(one, other)
    else:
        assert found == {**expected, "scores": pytest.approx(expected["scores"], abs=1e-5)}


def both(folder: Path) -> tuple[Any, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = transformers.pipeline("zero-shot-classification", model=str(folder), device="cpu")
        return pipeline("zero-shot-classification", model=folder, device="cpu"), other


@pytest.mark.parametrize("classes", [CLASSES, CLASSES[::-1], ("no", "Entails"), ("LABEL_0", "LABEL_1")])
def test_as_transformers_has_it(folder: Make, classes: tuple[str, ...]) -> None:
    ours, other = both(folder(*classes))
    for labels in (LABELS, "rain, the sea,inn", ["rain"]):
        for options in ({}, {"multi_label": True}, {"hypothesis_template": "is it {}?"}):
            close(ours(TEXTS[1], labels, **options), other(TEXTS[1], labels, **options))
            expected = other(TEXTS, candidate_labels=labels, **options)
            close(ours(TEXTS, candidate_labels=labels, batch_size=4, **options), expected)


def test_a_long_text_is_cut_and_its_labels_are_not(folder: Make) -> None:
    ours, other = both(folder(*CLASSES))
    close(ours("rain " * 100, LABELS), other("rain " * 100, LABELS))
    with pytest.raises(PipelineError, match="positions and the model 64"):
        ours("rain " * 100, LABELS, truncation=False)


def test_no_class_is_called_entailment(folder: Make) -> None:
    where = folder("one", "two")
    with pytest.warns(ModelryWarning, match=r"called entailment \(one, two\): the last is taken for it"):
        pipeline("zero-shot-classification", model=where)


def test_labels_are_needed(folder: Make) -> None:
    where = folder(*CLASSES)
    with pytest.raises(ParameterError, match="needs candidate_labels"):
        pipeline("zero-shot-classification", model=where)("rain")
    found = pipeline("zero-shot-classification", model=where, candidate_labels=LABELS)("rain")
    assert sorted(found["labels"]) == sorted(LABELS)
    shown = pipeline("zero-shot-classification", model=where).display(found)
    assert [line.split("  ")[1] for line in shown.splitlines()] == found["labels"]


def test_a_classifiers_own_task_is_another(folder: Make) -> None:
    assert pipeline(model=folder(*CLASSES)).task == "text-classification"
