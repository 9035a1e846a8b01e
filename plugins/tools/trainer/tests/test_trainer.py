"""The trainer learns, its accumulated gradients are those of the whole batch, and what goes wrong is named."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modelry import AutoModelForCausalLM
from modelry.errors import ModelryWarning, OutOfMemory
from modelry_trainer import EarlyStoppingCallback, Trainer, TrainerCallback, TrainerControl, TrainingArguments
from modelry_trainer.callbacks.events import EVENTS
from modelry_trainer.errors import ArgumentsError, BadRow, LossIsNaN, MetricFailed
from modelry_trainer.neftune import noisy_embeddings

Make = Callable[..., Trainer]


def test_any_module_learns(slope: nn.Module, points: list[Any], train: Make) -> None:
    trainer = train(
        slope,
        points,
        num_train_epochs=20,
        learning_rate=0.1,
        eval_strategy="epoch",
        more={"eval_dataset": points, "compute_metrics": lambda given: {"rows": len(given.label_ids)}},
    )
    metrics = trainer.evaluate()
    assert metrics["eval_loss"] < 1e-2
    assert metrics["eval_rows"] == 24
    predicted = trainer.predict(points)
    assert predicted.predictions.shape == predicted.label_ids.shape == (24,)
    assert predicted.metrics["test_loss"] == metrics["eval_loss"]
    logs = trainer.state.log_history
    assert {
        "loss",
        "grad_norm",
        "learning_rate",
        "epoch",
        "step",
        "tokens_per_second",
        "memory_gb",
        "seconds_left",
    } <= set(logs[0])
    assert logs[-2]["train_loss"] > 0 or logs[-1]


def test_streams(slope: nn.Module, points: list[Any], train: Make) -> None:
    class Stream:
        def __iter__(self) -> Iterator[Any]:
            return iter(points)

    assert train(slope, Stream(), max_steps=7).state.global_step == 7
    with pytest.raises(ArgumentsError, match="set max_steps"):
        train(slope, Stream())
    with pytest.warns(ModelryWarning, match="read only once"):
        assert train(slope, iter(points), max_steps=7).state.global_step == 3


def test_accumulation_is_exact_over_unequal_batches(make_toy: Any, texts: list[Any], train: Make, losses: Any) -> None:
    whole, parts = make_toy(), make_toy()
    values: dict[str, Any] = {"max_steps": 2, "optim": "sgd", "learning_rate": 0.5, "max_grad_norm": 0}
    one = train(whole, texts, per_device_train_batch_size=6, **values)
    many = train(parts, texts, per_device_train_batch_size=1, gradient_accumulation_steps=6, **values)
    assert losses(one) == pytest.approx(losses(many), abs=1e-6)
    for left, right in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(left, right, atol=1e-6, rtol=0)


def test_accumulation_is_exact_for_a_model_that_knows_nothing_of_it(
    slope: nn.Module, points: list[Any], train: Make
) -> None:
    other = copy.deepcopy(slope)
    values: dict[str, Any] = {"num_train_epochs": 1, "optim": "sgd", "learning_rate": 0.1, "max_grad_norm": 0}
    train(slope, points[:10], per_device_train_batch_size=10, **values)  # 10 rows are batches of 4, 4 and 2
    train(other, points[:10], per_device_train_batch_size=4, gradient_accumulation_steps=3, **values)
    torch.testing.assert_close(slope.weight, other.weight, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "values",
    [
        {"bf16": True},
        {"fp16": True},
        {"gradient_checkpointing": True},
        {"neftune_noise_alpha": 5.0},
        {"label_smoothing_factor": 0.1},
        {"torch_compile": True, "torch_compile_backend": "eager"},
        {"train_sampling_strategy": "group_by_length"},
        {"bf16_full_eval": True},
        {"optim": "lion", "lr_scheduler_type": "cosine", "warmup_steps": 0.5},
    ],
)
def test_ways_to_train(values: dict[str, Any], make_toy: Any, texts: list[Any], train: Make, losses: Any) -> None:
    trainer = train(make_toy(), texts, max_steps=8, learning_rate=3e-3, seed=3, **values, more={"eval_dataset": texts})
    assert losses(trainer)[-1] < losses(trainer)[0]
    assert trainer.evaluate()["eval_loss"] < losses(trainer)[0]
    assert trainer.model.dtype == torch.float32


@pytest.mark.parametrize("compiles", [False, True])
def test_a_loss_of_ones_own_and_a_model_that_is_compiled(
    compiles: bool, make_toy: Any, texts: list[Any], train: Make, losses: Any, tmp_path: Path
) -> None:
    """Whether the model divides by the number that it is handed is seen, and costs the compiled model no break."""

    class Handing(Trainer):
        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            return model(**inputs, num_items_in_batch=num_items_in_batch).loss

    values: dict[str, Any] = {"max_steps": 2, "per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}
    plain = losses(train(make_toy(), texts, **values))
    model = make_toy()
    given: Any = torch.compile(model, backend="eager", fullgraph=True) if compiles else model
    made = TrainingArguments(tmp_path, report_html=False, logging_steps=1, save_steps=2, **values)
    trainer = Handing(given, made, train_dataset=texts)
    trainer.train()
    assert losses(trainer) == pytest.approx(plain)
    assert trainer.model is model
    assert type(model).from_pretrained(tmp_path / "checkpoint-2").lm_head.weight.equal(model.lm_head.weight)
    if compiles:
        with pytest.raises(torch._dynamo.exc.Unsupported):  # what cannot be traced: it is compiled
            model(input_ids=object())


def test_every_event(slope: nn.Module, points: list[Any], train: Make) -> None:
    heard: list[str] = []

    class Listener(TrainerCallback):
        def __getattribute__(self, name: str) -> Any:
            if name in EVENTS:
                heard.append(name)
            return super().__getattribute__(name)

    more = {"callbacks": [Listener], "eval_dataset": points[:8]}
    trainer = train(
        slope,
        points[:16],
        max_steps=1,
        gradient_accumulation_steps=2,
        eval_strategy="steps",
        save_strategy="steps",
        more=more,
    )
    trainer.predict(points[:8])
    assert set(EVENTS) - set(heard) == {"on_push_begin"}
    steps = [one for one in heard if "step" in one and "prediction" not in one]
    assert steps == ["on_step_begin", "on_substep_end", "on_pre_optimizer_step", "on_optimizer_step", "on_step_end"]


def test_early_stopping(slope: nn.Module, points: list[Any], train: Make) -> None:
    trainer = train(
        slope,
        points,
        learning_rate=0.0,
        eval_strategy="epoch",
        metric_for_best_model="loss",
        num_train_epochs=9,
        more={"eval_dataset": points, "callbacks": [EarlyStoppingCallback(2)]},
    )
    assert trainer.state.epoch == 3


def test_the_best_is_loaded_and_the_oldest_go(slope: nn.Module, points: list[Any], train: Make, tmp_path: Path) -> None:
    class Spoil(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **more: Any) -> None:
            if state.global_step > 2:
                with torch.no_grad():
                    model.weight.add_(5.0)

    trainer = train(
        slope,
        points,
        max_steps=5,
        learning_rate=0.1,
        eval_strategy="steps",
        eval_steps=1,
        save_steps=1,
        save_strategy="steps",
        save_total_limit=2,
        load_best_model_at_end=True,
        more={"eval_dataset": points, "callbacks": [Spoil()]},
    )
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["checkpoint-2", "checkpoint-5"]
    assert trainer.state.best_model_checkpoint == str(tmp_path / "out/checkpoint-2")
    assert trainer.evaluate()["eval_loss"] == pytest.approx(trainer.state.best_metric)


def test_what_was_saved_before_it_was_found_best_is_the_best_checkpoint(
    slope: nn.Module, points: list[Any], train: Make, tmp_path: Path
) -> None:
    """Saves by steps, evaluations by epoch."""
    trainer = train(
        slope,
        points,
        num_train_epochs=2,
        save_strategy="steps",
        save_steps=1,
        eval_strategy="epoch",
        metric_for_best_model="loss",
        greater_is_better=False,
        more={"eval_dataset": points},
    )
    best = trainer.state.best_global_step
    assert best == trainer.state.global_step
    assert trainer.state.best_model_checkpoint == str(tmp_path / f"out/checkpoint-{best}")


def test_the_start_is_not_the_best_and_what_was_best_stays(
    slope: nn.Module, points: list[Any], train: Make, tmp_path: Path
) -> None:
    """A training that only makes the model worse still has a best checkpoint, which no later one drives out."""
    values = {"learning_rate": 0.1, "max_steps": 5, "eval_strategy": "steps", "eval_steps": 1, "eval_on_start": True}
    data = [{**point, "labels": -point["labels"]} for point in points]
    trainer = train(
        slope,
        points,
        **values,
        save_strategy="steps",
        save_steps=1,
        save_total_limit=2,
        metric_for_best_model="loss",
        more={"eval_dataset": data},
    )
    assert trainer.state.best_global_step == 1
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["checkpoint-1", "checkpoint-5"]


def test_a_second_training_has_a_schedule_of_its_own(slope: nn.Module, points: list[Any], train: Make) -> None:
    trainer = train(slope, points, max_steps=3, learning_rate=0.1)

    def rates() -> list[float]:
        return [line["learning_rate"] for line in trainer.state.log_history if "loss" in line]

    first, trainer.args.max_steps = rates(), 2
    trainer.train()
    assert (first, rates()) == (pytest.approx([0.1, 0.2 / 3, 0.1 / 3]), pytest.approx([0.1, 0.05]))


def test_noise_reaches_patches_too() -> None:
    class Patches(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, tuple[int, int]]:
            return x, (2, 3)

    patches = Patches()
    patches.get_input_embeddings = lambda: patches  # type: ignore[assignment]  # as models have it
    with noisy_embeddings(patches, 5.0):
        found, divided = patches(torch.zeros(1, 6, 4))
    assert divided == (2, 3)
    assert 0 < found.abs().max() <= 5 / 24**0.5


def test_an_epoch_ends_at_once_where_an_evaluation_asks_for_it(
    slope: nn.Module, points: list[Any], train: Make
) -> None:
    class Enough(TrainerCallback):
        def on_evaluate(self, args: Any, state: Any, control: Any, **more: Any) -> TrainerControl:
            return TrainerControl(should_epoch_stop=state.global_step == 2)  # another object is heard too

    values = {"num_train_epochs": 2, "eval_strategy": "steps", "eval_steps": 1}
    trainer = train(slope, points, **values, more={"eval_dataset": points, "callbacks": [Enough()]})
    assert trainer.state.global_step == 2 + 3


def test_all_of_a_model_learns_whatever_its_parts_were(slope: nn.Module, points: list[Any], train: Make) -> None:
    """As where an adapter, made to learn, is put around a model that was loaded to be used."""

    class Around(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = slope.eval()

        def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            modes.append(self.inner.training)
            return self.inner(x, labels)

    modes: list[bool] = []
    trainer = train(Around(), points, run=False, max_steps=1)
    trainer.evaluate(points[:8])
    assert (trainer.model.training, slope.training) == (True, False)
    trainer.train()
    assert modes == [False, True]


def test_saved_models_load(make_toy: Any, texts: list[Any], train: Make, tmp_path: Path) -> None:
    trainer = train(make_toy(), texts, max_steps=1)
    trainer.save_model(tmp_path / "final")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "final")
    for left, right in zip(loaded.parameters(), trainer.model.parameters(), strict=True):
        assert torch.equal(left, right)


def test_the_report_needs_nothing_else(slope: nn.Module, points: list[Any], train: Make, tmp_path: Path) -> None:
    train(slope, points, max_steps=3, report_html=True)
    page = (tmp_path / "out/report.html").read_text()
    assert page.count("<svg") >= 3
    assert "polyline" in page
    assert not any(word in page for word in ("http", "<script", "src=", "@import"))


def test_one_bad_row_is_named(
    slope: nn.Module, points: list[Any], make_toy: Any, texts: list[Any], train: Make
) -> None:
    class Broken(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            if index == 5:
                raise OSError("unreadable")
            return super().__getitem__(index)

    with pytest.raises(BadRow, match="row 5 of the train data set cannot be read: OSError: unreadable"):
        train(slope, Broken(points))
    with pytest.raises(BadRow, match="row 5 of the train data set does not fit the other rows"):
        train(slope, [*points[:5], {"x": torch.zeros(4), "labels": torch.zeros(())}, *points[6:]])
    uneven = [{"x": torch.zeros(number + 1), "labels": number if number == 5 else [0]} for number in range(8)]
    ragged = {"data_collator": lambda rows: {"labels": torch.tensor([row["labels"] for row in rows])}}
    with pytest.raises(BadRow, match="row 5 of the train data set does not fit the other rows"):
        train(slope, uneven, more=ragged)
    ids = {**texts[4], "input_ids": torch.full((9,), 700)}
    with pytest.raises(BadRow, match=r"row 4 of .*\(input_ids has 700, and the model knows 0 to \d+\)"):
        train(make_toy(), [*texts[:4], ids, *texts[5:]])
    texts[4] = {**texts[4], "labels": torch.full((9,), 999)}
    with pytest.raises(BadRow, match=r"row 4 of the train data set cannot be run.*a label is 999"):
        train(make_toy(), texts)
    with pytest.raises(BadRow, match="none of its columns"):
        train(slope, [{"text": "a"}])


def test_a_loss_that_is_no_number(slope: nn.Module, points: list[Any], train: Make, tmp_path: Path) -> None:
    points[3] = {**points[3], "labels": torch.tensor(float("nan"))}
    values: dict[str, Any] = {
        "num_train_epochs": 1,
        "per_device_train_batch_size": 4,
        "save_steps": 1,
        "save_strategy": "steps",
        "train_sampling_strategy": "sequential",
    }
    points[3], points[9] = points[9], points[3]
    with pytest.raises(LossIsNaN, match=r"step 3, rows 8, 9, 10, 11 .*checkpoint-2"):
        train(slope, points, **values)
    assert slope.weight.isfinite().all()
    with pytest.warns(ModelryWarning, match="the step is left out"):
        trainer = train(slope, points, nan_loss="skip", **values, output_dir=tmp_path / "skipping")
    assert (trainer.state.skipped_steps, trainer.state.global_step) == (1, 6)
    assert trainer.state.log_history[-1]["train_loss"] > 0


def test_a_metric_that_raises_keeps_the_model(slope: nn.Module, points: list[Any], train: Make, tmp_path: Path) -> None:
    more = {"eval_dataset": points, "compute_metrics": lambda given: {"bad": 1 // 0}}
    with pytest.raises(MetricFailed, match=r"ZeroDivisionError.*The model of step 3 is kept in .*checkpoint-3"):
        train(slope, points, eval_strategy="epoch", more=more)
    assert (tmp_path / "out/checkpoint-3/model.safetensors").is_file()


@pytest.mark.parametrize("said", ["DefaultCPUAllocator: can't allocate memory", "could not create a primitive"])
def test_a_smaller_batch_when_memory_runs_out(said: str, slope: nn.Module, points: list[Any], train: Make) -> None:
    class Small(type(slope)):  # type: ignore[misc]  # a class that conftest has
        def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            if len(x) > 2:
                raise RuntimeError(said)
            return super().forward(x, labels)

    values: dict[str, Any] = {"max_steps": 3, "learning_rate": 0.1}
    with pytest.raises(OutOfMemory, match="auto_find_batch_size=True"):
        train(Small(), points, **values)
    small = Small()
    with pytest.warns(ModelryWarning, match="run in [24] parts"):
        train(small, points, auto_find_batch_size=True, **values)
    train(slope, points, **values)
    torch.testing.assert_close(small.weight, slope.weight, atol=1e-6, rtol=0)


def test_what_cannot_be_meant(slope: nn.Module, points: list[Any]) -> None:
    with pytest.raises(ArgumentsError, match="either a model or a model_init"):
        Trainer()
    with pytest.raises(ArgumentsError, match="there is no eval_dataset"):
        Trainer(slope, TrainingArguments(eval_strategy="epoch"), train_dataset=points)
    with pytest.raises(ArgumentsError, match="needs a train_dataset"):
        Trainer(slope, TrainingArguments()).train()
    with pytest.raises(ArgumentsError, match="has no gradient_checkpointing_enable"):
        Trainer(slope, TrainingArguments(gradient_checkpointing=True), train_dataset=points).train()


def test_the_state_is_plain_json(slope: nn.Module, points: list[Any], train: Make, tmp_path: Path) -> None:
    train(slope, points, max_steps=2).save_state()
    assert json.loads((tmp_path / "out/trainer_state.json").read_text())["global_step"] == 2
