"""Seq2SeqTrainer predicts by writing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import modelry
from modelry import AutoConfig, AutoModelForSeq2SeqLM
from modelry_registry import get_registry
from modelry_trainer import Seq2SeqTrainer, Seq2SeqTrainingArguments, Trainer
from modelry_trainer.errors import ArgumentsError


def test_the_kernel_has_the_names() -> None:
    assert modelry.Trainer is Trainer
    assert modelry.Seq2SeqTrainer is Seq2SeqTrainer


@pytest.fixture
def model() -> Any:
    pytest.importorskip("modelry_t5")
    config = AutoConfig.for_model(**{"model_type": "t5", **get_registry().get("models", "t5").tiny})
    torch.manual_seed(0)
    return AutoModelForSeq2SeqLM.from_config(config)


def test_predictions_are_written(model: Any, tmp_path: Path) -> None:
    rows = [{"input_ids": torch.tensor([5, 6, 7, 1]), "labels": torch.tensor([8, 9, 1])} for _ in range(5)]
    seen: list[Any] = []

    def exact(given: Any) -> dict[str, float]:
        seen.append(given)
        return {"length": float(given.predictions.shape[1])}

    arguments = Seq2SeqTrainingArguments(
        tmp_path,
        predict_with_generate=True,
        generation_max_length=6,
        max_steps=1,
        save_strategy="no",
        per_device_eval_batch_size=2,
        report_html=False,
        label_smoothing_factor=0.1,
    )
    trainer = Seq2SeqTrainer(model, arguments, train_dataset=rows, eval_dataset=rows, compute_metrics=exact)
    trainer.train()
    metrics = trainer.evaluate()
    assert 1 < metrics["eval_length"] <= 6
    assert metrics["eval_loss"] > 0
    assert seen[0].predictions.dtype == np.int64
    written = trainer.predict(rows, max_new_tokens=3).predictions
    assert written.shape[0] == 5
    assert written.shape[1] <= 4
    expected = model.generate(torch.stack([rows[0]["input_ids"]]), max_new_tokens=3)[0]
    assert written[0][: len(expected)].tolist() == expected.tolist()


@pytest.mark.parametrize("wrong", [3, {"num_beams": 2}])
def test_what_does_not_say_how_to_write(wrong: object, tmp_path: Path) -> None:
    with pytest.raises(ArgumentsError, match=r"generation_config is .*; a GenerationConfig, or the folder"):
        Seq2SeqTrainingArguments(tmp_path, generation_config=wrong)
