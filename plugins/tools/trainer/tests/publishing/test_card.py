"""The card says what was trained, how, and how good it is; a text that somebody wrote stays."""

import json
from pathlib import Path
from typing import Any

import pytest

from modelry_trainer import Trainer, TrainingArguments


@pytest.fixture
def trained(slope: Any, points: list[Any], tmp_path: Path) -> Trainer:
    arguments = TrainingArguments(
        tmp_path / "night", max_steps=4, eval_strategy="steps", eval_steps=2, logging_steps=1, learning_rate=0.1
    )
    trainer = Trainer(
        slope,
        arguments,
        train_dataset=points,
        eval_dataset=points,
        compute_metrics=lambda given: {"mean_error": 0.25},
    )
    trainer.train()
    return trainer


def test_what_it_says(trained: Trainer, tmp_path: Path) -> None:
    trained.create_model_card(
        "en", finetuned_from='some/"model"', tags=["a", "b"], dataset="points", tasks="text-generation"
    )
    text = (tmp_path / "night/README.md").read_text()
    front = dict(line.split(": ", 1) for line in text.split("---\n")[1].splitlines())
    told = {name: json.loads(value) for name, value in front.items()}
    assert told["tags"] == ["generated_from_trainer", "a", "b"]
    assert (told["language"], told["base_model"]) == ("en", 'some/"model"')
    assert "# night" in text
    assert "on points." in text
    assert "- learning_rate: 0.1" in text
    assert "| Step | Epoch | Training loss | Validation loss | Mean error |" in text
    assert len([line for line in text.splitlines() if line.startswith(("| 2 |", "| 4 |"))]) == 2
    assert text.count("0.25 |") == 2


def test_the_hub_reads_its_top(trained: Trainer, tmp_path: Path) -> None:
    cards = pytest.importorskip("huggingface_hub")
    trained.create_model_card(license="mit", dataset_tags="org/data")
    read = cards.ModelCard.load(tmp_path / "night/README.md").data
    assert (read.license, read.datasets, read.tags) == ("mit", ["org/data"], ["generated_from_trainer"])


def test_a_text_of_ones_own_stays(trained: Trainer, tmp_path: Path) -> None:
    file = tmp_path / "night/README.md"
    file.write_text("# Mine\n")
    trained.create_model_card()
    assert file.read_text() == "# Mine\n"
