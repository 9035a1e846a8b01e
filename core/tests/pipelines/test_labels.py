"""Scores of labels."""

import pytest
import torch

from modelry.configuration import ModelConfig
from modelry.pipelines.labels import fitting_function, scored_labels

NAMES = {0: "a", 1: "b", 2: "c"}


@pytest.mark.parametrize(
    ("config", "function"),
    [
        (ModelConfig(id2label=NAMES), "softmax"),
        (ModelConfig(id2label=NAMES, problem_type="regression"), "none"),
        (ModelConfig(id2label=NAMES, problem_type="multi_label_classification"), "sigmoid"),
        (ModelConfig(id2label={0: "a"}), "sigmoid"),
    ],
)
def test_the_function_fits_the_problem(config: ModelConfig, function: str) -> None:
    assert fitting_function(config) == function


def test_the_best_comes_first() -> None:
    found = scored_labels(torch.tensor([1.0, 3.0, 2.0]), ModelConfig(id2label=NAMES), "none")
    assert found == [{"label": "b", "score": 3.0}, {"label": "c", "score": 2.0}, {"label": "a", "score": 1.0}]
    shares = scored_labels(torch.tensor([0.0, 0.0, 0.0]), ModelConfig(id2label=NAMES), None)
    assert [one["label"] for one in shares] == ["a", "b", "c"]
    assert sum(one["score"] for one in shares) == pytest.approx(1)
