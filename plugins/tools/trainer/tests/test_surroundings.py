"""What scripts of the ecosystem call around a training; expected values are the peer's own where it has them."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modelry_trainer import Trainer, TrainerCallback, TrainingArguments
from modelry_trainer.errors import ArgumentsError, LossIsNaN


@pytest.fixture
def trainer(slope: nn.Module, points: list[Any], tmp_path: Path) -> Trainer:
    arguments = TrainingArguments(
        tmp_path, max_steps=2, report_html=False, save_strategy="no", gradient_accumulation_steps=2
    )
    return Trainer(slope, arguments, train_dataset=points, eval_dataset=points)


def test_results_are_shown_and_kept(trainer: Trainer, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    metrics = {"train_runtime": 3725.5, "train_loss": 0.123456, "epoch": 2.0, "total_flos": 2.5e9}
    metrics["train_mem_cpu_peaked_delta"] = 5 << 20
    trainer.log_metrics("train", metrics)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "***** train metrics *****"
    assert lines[1:] == [
        "  epoch                      =        2.0",
        "  total_flos                 =    2.500GF",
        "  train_loss                 =     0.1235",
        "  train_mem_cpu_peaked_delta =        5MB",
        "  train_runtime              = 1:02:05.50",
    ]
    trainer.save_metrics("train", metrics)
    trainer.save_metrics("eval", {"eval_loss": 0.5})
    trainer.save_metrics("test", {"test_loss": 0.7}, combined=False)
    assert json.loads((tmp_path / "train_results.json").read_text()) == metrics
    assert json.loads((tmp_path / "all_results.json").read_text()) == {**metrics, "eval_loss": 0.5}
    assert json.loads((tmp_path / "test_results.json").read_text()) == {"test_loss": 0.7}


def test_a_script_of_the_ecosystem(trainer: Trainer, points: list[Any], tmp_path: Path) -> None:
    result = trainer.train()
    trainer.save_model()
    trainer.log_metrics("train", {**result.metrics, "train_samples": len(points)})
    trainer.save_metrics("train", result.metrics)
    trainer.save_state()
    trainer.save_metrics("eval", trainer.evaluate())
    predictions, labels, _ = trainer.predict(points, metric_key_prefix="predict")
    assert len(predictions) == len(labels) == 24
    trainer.create_model_card(tasks="text-classification")
    names = {"model.safetensors", "train_results.json", "eval_results.json", "all_results.json", "trainer_state.json"}
    assert names | {"README.md"} == {path.name for path in tmp_path.iterdir()}
    assert trainer.is_world_process_zero()
    assert trainer.is_local_process_zero()


def test_figures(trainer: Trainer, points: list[Any], make_toy: Any, texts: list[Any], tmp_path: Path) -> None:
    trainer.train()
    assert trainer.get_num_trainable_parameters() == 3
    assert len(trainer.get_learning_rates()) == len(trainer.optimizer.param_groups)
    assert trainer.get_optimizer_group(trainer.model.weight) is trainer.optimizer.param_groups[0]
    assert sum(len(group) for group in trainer.get_optimizer_group()) == 1
    assert trainer.get_decay_parameter_names(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))) == ["0.weight"]
    assert trainer.get_total_train_batch_size(trainer.args) == 16
    assert trainer.num_examples(trainer.get_eval_dataloader()) == 24
    found = trainer.evaluation_loop(trainer.get_eval_dataloader(), "Evaluation", metric_key_prefix="dev")
    assert found.num_samples == 24
    assert found.metrics["dev_loss"] > 0
    toy = Trainer(make_toy(), TrainingArguments(tmp_path))
    ids = torch.zeros(2, 7, dtype=torch.long)
    assert toy.floating_point_ops({"input_ids": ids}) == 6 * 14 * toy.model.num_parameters(exclude_embeddings=True)


def test_a_step_of_ones_own(slope: nn.Module, points: list[Any], tmp_path: Path) -> None:
    class Own(Trainer):
        def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
            model.train()
            inputs = self._prepare_inputs(inputs)
            with self.compute_loss_context_manager():
                loss: torch.Tensor = self.compute_loss(model, inputs, num_items_in_batch=num_items_in_batch)
            loss.backward()
            return loss.detach()

    arguments = TrainingArguments(tmp_path, max_steps=20, learning_rate=0.1, report_html=False, save_strategy="no")
    trainer = Own(slope, arguments, train_dataset=points)
    trainer.train()
    assert trainer.evaluate(points)["eval_loss"] < 1.0


def test_the_first_module_that_gives_no_number_is_named(points: list[Any], tmp_path: Path) -> None:
    class Deep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 3), nn.Linear(3, 1)

        def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
            found = self.second(self.first(x) * 1e38 * 1e38).squeeze(-1)
            return {"loss": found.mean()}

    arguments = TrainingArguments(tmp_path, max_steps=1, debug="underflow_overflow", report_html=False)
    trainer = Trainer(Deep(), arguments, train_dataset=points)
    with pytest.raises(LossIsNaN, match=r"(?s)step 1 the output of second \(Linear\): .*ran before.*first \(Linear\)"):
        trainer.train()
    with pytest.raises(ArgumentsError, match="debug is 'tpu'"):
        TrainingArguments(debug="tpu")


def test_every_event_tells_of_the_loaders(trainer: Trainer, points: list[Any]) -> None:
    class Listener(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, train_dataloader: Any, **more: Any) -> None:
            assert len(train_dataloader) == 3
            assert more["eval_dataloader"] is None

        def on_evaluate(self, args: Any, state: Any, control: Any, eval_dataloader: Any, **more: Any) -> None:
            assert len(eval_dataloader) == 1

    trainer.add_callback(Listener)
    trainer.train()
    assert trainer.evaluate(points[:4])["eval_loss"] > 0


def test_listeners_come_and_go(trainer: Trainer) -> None:
    class Listener(TrainerCallback):
        pass

    one = Listener()
    trainer.add_callback(one)
    assert trainer.pop_callback(Listener) is one
    trainer.add_callback(Listener)
    trainer.remove_callback(Listener)
    assert trainer.pop_callback(Listener) is None
