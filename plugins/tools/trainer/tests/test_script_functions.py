"""Functions and names that scripts import beside Trainer."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import modelry
from modelry.errors import ParameterError
from modelry_trainer import Trainer, TrainingArguments, get_last_checkpoint, get_scheduler, set_seed
from modelry_trainer.state import TrainerState


def test_the_kernel_has_the_names() -> None:
    assert modelry.set_seed is set_seed
    for name in ("EvalPrediction", "PrinterCallback", "ProgressCallback", "get_last_checkpoint", "get_scheduler"):
        assert getattr(modelry, name).__name__ == name


def test_a_seed_decides() -> None:
    drawn = []
    for seed in (1, 1, 2):
        set_seed(seed)
        drawn.append(torch.rand(3).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_last_checkpoint(tmp_path: Path) -> None:
    assert get_last_checkpoint(tmp_path) is None
    for step in (9, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert get_last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")


def test_a_schedule_by_name() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_scheduler("linear", optimizer, num_warmup_steps=2, num_training_steps=6)
    rates = []
    for _ in range(6):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert rates == [0.0, 0.5, 1.0, 0.75, 0.5, 0.25]
    with pytest.raises(ParameterError, match="no parameter"):
        get_scheduler("cosine", optimizer, 0, 10, {"cycles": 2})


def test_the_state_as_a_file(tmp_path: Path) -> None:
    state = TrainerState(global_step=3, log_history=[{"loss": 1.0, "step": 1}])
    state.save_to_json(tmp_path / "state.json")
    assert TrainerState.load_from_json(tmp_path / "state.json") == state


def test_a_step_with_an_accelerator(slope: nn.Module, points: list[Any], tmp_path: Path) -> None:
    class Own(Trainer):
        def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
            model.train()
            inputs = self._prepare_inputs(inputs)
            with self.accelerator.autocast():
                loss: torch.Tensor = self.compute_loss(model, inputs)
            self.accelerator.backward(loss)
            assert self.accelerator.unwrap_model(model) is self.model
            assert self.accelerator.is_main_process
            assert self.accelerator.is_local_main_process
            assert (self.accelerator.num_processes, self.accelerator.process_index) == (1, 0)
            assert self.accelerator.device.type == self.args.device.type
            self.accelerator.wait_for_everyone()
            return loss.detach()

    values: dict[str, Any] = {"max_steps": 9, "learning_rate": 0.1, "report_html": False, "save_strategy": "no"}
    for more in ({}, {"fp16": True, "use_cpu": True}):
        before = float(Own(slope, TrainingArguments(tmp_path)).evaluate(points)["eval_loss"])
        trainer = Own(slope, TrainingArguments(tmp_path, **values, **more), train_dataset=points)
        trainer.train()
        assert trainer.evaluate(points)["eval_loss"] < before
