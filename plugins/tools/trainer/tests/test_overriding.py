"""What subclasses written for the ecosystem's trainer override: it is called, or refused by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modelry_trainer import Trainer, TrainerCallback, TrainingArguments
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.given import UNHEARD

Make = Callable[..., Trainer]


@pytest.fixture
def made(slope: nn.Module, points: list[Any], tmp_path: Path) -> Callable[..., Trainer]:
    def make(kind: type[Trainer], *, more: dict[str, Any] | None = None, **values: Any) -> Trainer:
        told: dict[str, Any] = {
            "max_steps": 1,
            "save_strategy": "no",
            "report_html": False,
            "logging_steps": 1,
            **values,
        }
        return kind(
            slope,
            TrainingArguments(tmp_path, **told),
            train_dataset=points,
            eval_dataset=points[:6],
            **(more or {}),
        )

    return make


def test_inputs_are_prepared_by_the_subclass(made: Make) -> None:
    class Doubled(Trainer):
        def _prepare_inputs(self, inputs: Any) -> Any:
            inputs = super()._prepare_inputs(inputs)
            return {**inputs, "labels": inputs["labels"] * 2}

    plain, doubled = made(Trainer).evaluate()["eval_loss"], made(Doubled).evaluate()["eval_loss"]
    assert doubled == pytest.approx(4 * plain)  # the model says 0 to everything
    doubled = made(Doubled, train_sampling_strategy="sequential").train().training_loss
    assert doubled == pytest.approx(
        4 * made(Trainer, train_sampling_strategy="sequential").train().training_loss, rel=0.1
    )


def test_an_evaluation_of_ones_own(made: Make) -> None:
    """As the ecosystem's example for question answering has it."""
    heard: list[Any] = []

    class Listener(TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **more: Any) -> None:
            heard.append((metrics["eval_mine"], more["model"], more["optimizer"]))
            control.should_training_stop = True

    class Answering(Trainer):
        def evaluation_loop(self, *given: Any, **named: Any) -> Any:
            found = super().evaluation_loop(*given, **named)
            found.metrics["eval_mine"] = 1.0
            return found

        def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> Any:
            loader = self.get_eval_dataloader(eval_dataset)
            found = self.evaluation_loop(
                loader,
                description="Evaluation",
                prediction_loss_only=None,
                ignore_keys=ignore_keys,
                metric_key_prefix=metric_key_prefix,
            )
            self.log(found.metrics)
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, found.metrics)
            return found.metrics

    class Looping(Answering):
        evaluate = Trainer.evaluate  # the inherited one again

    for kind in (Answering, Looping):
        trainer = made(kind, max_steps=3, eval_strategy="steps", eval_steps=1, more={"callbacks": [Listener()]})
        assert trainer.train().global_step == 1
        assert heard.pop() == (1.0, trainer.model, trainer.optimizer)
    assert "Listener" in trainer.callback_handler.callback_list.splitlines()
    trainer.callback_handler.remove_callback(Listener)
    trainer.callback_handler.on_log(trainer.args, trainer.state, trainer.control, {"loss": 1.0})
    assert not heard


def test_an_optimizer_and_what_decays_of_ones_own(made: Make) -> None:
    class Choosing(Trainer):
        @staticmethod
        def get_optimizer_cls_and_kwargs(args: Any, model: Any = None) -> Any:
            return torch.optim.SGD, {"lr": 0.5}

        def get_decay_parameter_names(self, model: nn.Module) -> list[str]:
            return []

    optimizer = made(Choosing, weight_decay=0.1).create_optimizer()
    assert isinstance(optimizer, torch.optim.SGD)
    assert [(group["lr"], group["weight_decay"]) for group in optimizer.param_groups] == [(0.5, 0.0)]
    assert made(Trainer, weight_decay=0.1).create_optimizer().param_groups[0]["weight_decay"] == 0.1


def test_which_rows_are_evaluated(made: Make, points: list[Any]) -> None:
    class Second(Trainer):
        def _get_eval_sampler(self, eval_dataset: Any) -> Any:
            return [1]

    assert made(Second).evaluate()["eval_loss"] == pytest.approx(float(points[1]["labels"]) ** 2)


def test_loaders_are_prepared_as_everywhere(made: Make, points: list[Any]) -> None:
    class Loaded(Trainer):
        def get_train_dataloader(self) -> Any:
            assert self.is_in_train
            rows: Any = points
            loader: Any = torch.utils.data.DataLoader(rows, batch_size=4)
            return self.accelerator.prepare(loader)

        def compute_loss(self, model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
            loss = super().compute_loss(model, inputs, *more, **named)
            self.log({"mean": self.accelerator.gather(inputs["labels"]).mean()})  # a tensor, which a checkpoint keeps
            return loss

    trainer = made(Loaded, save_strategy="steps", save_steps=1)
    trainer.train()
    assert trainer.state.log_history[0]["mean"] == pytest.approx(sum(float(row["labels"]) for row in points[:4]) / 4)
    assert not trainer.is_in_train


def test_a_loss_copied_from_the_ecosystem(made: Make, make_toy: Any, texts: list[Any], tmp_path: Path) -> None:
    class Copied(Trainer):
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            assert self.label_smoother is not None
            assert self.model_accepts_loss_kwargs
            assert not self.is_fsdp_enabled
            assert not self.is_deepspeed_enabled
            assert self.current_gradient_accumulation_steps == 2
            labels = inputs.pop("labels")
            return self.label_smoother(
                model(**inputs), labels, shift_labels=True, num_items_in_batch=num_items_in_batch
            )

    losses = []
    for kind in (Trainer, Copied):
        values: dict[str, Any] = {"max_steps": 1, "per_device_train_batch_size": 3, "gradient_accumulation_steps": 2}
        arguments = TrainingArguments(tmp_path, label_smoothing_factor=0.1, report_html=False, **values)
        losses.append(kind(make_toy(), arguments, train_dataset=texts).train().training_loss)
    assert losses[1] == pytest.approx(losses[0])
    assert made(Trainer).label_smoother is None


@pytest.mark.parametrize("name", UNHEARD)
def test_what_nothing_calls_is_refused(name: str, made: Make) -> None:
    with pytest.raises(ArgumentsError, match=f"Own has a method {name}, which nothing calls here: "):
        made(type("Own", (Trainer,), {name: lambda self: None}))
    assert not hasattr(Trainer, name)
