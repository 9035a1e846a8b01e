"""What users give that cannot be: each is named, early, and nothing that was there is lost."""

import math
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from modelry.errors import ModelryWarning, OutOfMemory, ParameterError
from modelry_trainer import Trainer, TrainingArguments
from modelry_trainer.checkpoints import folders
from modelry_trainer.errors import ArgumentsError, BadRow, LossIsNaN, MetricFailed, SaveFailed, TrainingError

Make = Callable[..., Trainer]


@contextmanager
def disk_of(most: int) -> Iterator[None]:
    """No file can become larger than so many bytes: writes fail as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full(make_toy: Any, texts: list[Any], train: Make, tmp_path: Path) -> None:
    values = {"max_steps": 2, "save_strategy": "steps", "save_steps": 1}
    trainer = train(make_toy(), texts, run=False, **values)
    trainer.save_model(tmp_path / "model")
    kept = (tmp_path / "model/model.safetensors").read_bytes()
    with (
        disk_of(20_000),
        pytest.raises(SaveFailed, match=r"not be written to .*Make room.*call save_model again"),
    ):
        trainer.save_model(tmp_path / "model")
    assert (tmp_path / "model/model.safetensors").read_bytes() == kept
    assert {path.name for path in (tmp_path / "model").iterdir()} >= {"config.json", "model.safetensors"}
    trainer.train()
    again = train(make_toy(), texts, run=False, **values)
    with disk_of(20_000), pytest.raises(SaveFailed, match=r"checkpoint-1 could not be written .*Make room"):
        again.train()
    whole = [path for path in folders.checkpoints(tmp_path / "out") if path.name == "checkpoint-2"]
    folders.verify(whole[0])
    assert again.train(resume_from_checkpoint=True).global_step == 2


def test_a_row_that_cannot_be_evaluated(make_toy: Any, texts: list[Any], train: Make) -> None:
    texts[4] = {**texts[4], "labels": torch.full((9,), 999)}
    trainer = train(make_toy(), texts[:4], run=False)
    with pytest.raises(BadRow, match=r"row 4 of the eval data set cannot be run, in an evaluation.*a label is 999"):
        trainer.evaluate(texts)
    with pytest.raises(BadRow, match="row 4 of the test data set"):
        trainer.predict(texts)


def test_memory_that_runs_out_in_an_evaluation(slope: nn.Module, points: list[Any], train: Make) -> None:
    class Small(type(slope)):  # type: ignore[misc]  # a class that conftest has
        def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            if not self.training:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return super().forward(x, labels)

    with pytest.raises(OutOfMemory, match="a smaller per_device_eval_batch_size"):
        train(Small(), points, run=False).evaluate(points)


def test_memory_that_runs_out_in_the_optimizer(
    slope: nn.Module, points: list[Any], train: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left of states that were made in part: the next training begins with new ones, of another optimizer
    too."""
    fresh, ended = torch.zeros_like, []

    def short(like: torch.Tensor, **more: Any) -> torch.Tensor:
        ended.append(like)
        if len(ended) == 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 12 bytes.")
        return fresh(like, **more)

    trainer = train(slope, points, run=False, max_steps=2, learning_rate=0.1)
    with monkeypatch.context() as patched:
        patched.setattr(torch, "zeros_like", short)
        with pytest.raises(
            OutOfMemory, match=r"adamw_torch_fused keeps 2 values for each of the 3 numbers.*'lion' \(1\)"
        ):
            trainer.train()
    assert not slope.weight.any()
    trainer.args.optim = "sgd"
    assert trainer.train().global_step == 2
    assert type(trainer.optimizer) is torch.optim.SGD

    class Greedy(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(OutOfMemory, match="Greedy keeps a state for each"):
        train(slope, points, more={"optimizers": (Greedy(slope.parameters()), None)})


def test_a_metric_that_is_no_mapping(slope: nn.Module, points: list[Any], train: Make) -> None:
    more = {"eval_dataset": points, "compute_metrics": lambda given: 0.0}
    with pytest.raises(MetricFailed, match=r"returns a float: return names and their values"):
        train(slope, points, run=False, more=more).evaluate()


def test_metrics_are_kept_or_refused(slope: nn.Module, points: list[Any], train: Make) -> None:
    """An array is written into the checkpoint as a list; what cannot be written is refused when it comes."""
    values: list[Any] = [np.arange(2.0), torch.ones(2), np.float32(3), {"y": [torch.tensor(1.0), (np.float32(2),)]}]
    values += [object(), {"y": {3}}, np.array([object()]), 10**400, {(1, 2): 3}]
    more = {"eval_dataset": points, "compute_metrics": lambda given: {"x": values.pop(0)}}
    trainer = train(slope, points, max_steps=1, save_strategy="steps", save_steps=1, run=False, more=more)
    for kept in ([0.0, 1.0], [1.0, 1.0], 3.0, {"y": [1.0, [2.0]]}):
        assert trainer.evaluate()["eval_x"] == kept
    trainer.train()
    for found in ("object", "set", "object", "int", "tuple"):
        with pytest.raises(MetricFailed, match=f"returns a {found} as 'x': return numbers, texts or lists"):
            trainer.evaluate()
    trainer.compute_metrics = lambda given: {3: 1.0}
    with pytest.raises(MetricFailed, match="returns a value named 3: names are texts"):
        trainer.evaluate()


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"y": 1.0}, r"metric_for_best_model is 'eval_x', and an evaluation gives eval_y"),
        ({"x": "good"}, r"metric_for_best_model is 'eval_x', and its value 'good' is no number"),
        (ZeroDivisionError("no"), r"preprocess_logits_for_metrics raised ZeroDivisionError: no"),
    ],
)
def test_metrics_that_cannot_be_watched_keep_the_model(
    metrics: Any, words: str, slope: nn.Module, points: list[Any], train: Make, tmp_path: Path
) -> None:
    def keep(logits: Any, labels: Any) -> Any:
        if isinstance(metrics, Exception):
            raise metrics
        return logits

    more = {"eval_dataset": points, "compute_metrics": lambda given: metrics, "preprocess_logits_for_metrics": keep}
    values = {"eval_strategy": "steps", "eval_steps": 2, "save_strategy": "best", "metric_for_best_model": "x"}
    with pytest.raises(MetricFailed, match=rf"{words}.*The model of step 2 is kept in .*checkpoint-2"):
        train(slope, points, max_steps=3, more=more, **values)
    folders.verify(tmp_path / "out/checkpoint-2")


def test_a_row_that_spoils_its_batch(slope: nn.Module, make_toy: Any, texts: list[Any], train: Make) -> None:
    """In the batch all rows fail, or none alone: each is tried as a batch of its own."""
    texts[4] = {**texts[4], "input_ids": texts[4]["input_ids"].float()}  # and so the whole batch is
    with pytest.raises(BadRow, match=r"row 4 of the train data set cannot be run, in step 1"):
        train(make_toy(), texts, per_device_train_batch_size=10)


def test_a_row_that_a_worker_cannot_read(slope: nn.Module, points: list[Any], train: Make) -> None:
    points[5] = {"x": "no", "labels": "cat"}
    with pytest.raises(
        BadRow, match=r"^row 5 of the train data set cannot be made a batch: TypeError: expected Tensor"
    ) as found:
        train(slope, points, dataloader_num_workers=1, train_sampling_strategy="sequential")
    assert "Traceback" not in str(found.value)


def test_a_metric_that_is_no_number_is_never_the_best(slope: nn.Module, points: list[Any], train: Make) -> None:
    values = iter([math.nan, 0.5, math.nan, 0.4])
    more = {"eval_dataset": points, "compute_metrics": lambda given: {"hits": next(values)}}
    trainer = train(
        slope, points, max_steps=4, eval_strategy="steps", eval_steps=1, metric_for_best_model="hits", more=more
    )
    assert (trainer.state.best_metric, trainer.state.best_global_step) == (0.5, 2)


def test_evaluated_rows_whose_loss_is_no_number(slope: nn.Module, points: list[Any], tmp_path: Path) -> None:
    points[0] = {**points[0], "labels": torch.tensor(math.nan)}
    trainer = Trainer(slope, TrainingArguments(tmp_path, per_device_eval_batch_size=4))
    with pytest.warns(ModelryWarning, match="the loss of 4 of 24 rows is no number"):
        assert trainer.evaluate(points)["eval_loss"] > 0
    trainer.args.logging_nan_inf_filter = False
    assert math.isnan(trainer.evaluate(points)["eval_loss"])


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a text", "row 3 .* a row is a str: rows are names of columns"),
        (None, "row 3 .* a row is a NoneType"),
        ({"x": torch.zeros(3), "labels": "cat"}, "a label is the text 'cat': labels are numbers"),
        ({"x": torch.zeros(3), "label": "cat"}, "row 3"),
    ],
)
def test_rows_that_are_none(row: Any, words: str, slope: nn.Module, points: list[Any], train: Make) -> None:
    rows = [*points[:3], row, *points[4:8]]
    with pytest.raises(BadRow, match=words):
        train(slope, rows, per_device_train_batch_size=1, train_sampling_strategy="sequential")


def test_output_that_is_a_file(slope: nn.Module, points: list[Any], train: Make, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    before = [one.clone() for one in slope.parameters()]
    with pytest.raises(SaveFailed, match=r"out cannot be written .*name another folder as output_dir"):
        train(slope, points, max_steps=1, save_strategy="steps", save_steps=1)
    assert all(map(torch.equal, slope.parameters(), before)), "known before the first step"
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize(("values", "counted"), [({}, None), ({"nan_loss": "skip"}, 3)])
def test_gradients_that_are_no_numbers_and_are_not_clipped(
    values: dict[str, Any], counted: int | None, slope: nn.Module, points: list[Any], train: Make
) -> None:
    """The loss is one; only the length of the gradients says it."""

    def measure(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any) -> torch.Tensor:
        weight: Any = slope.weight
        loss: torch.Tensor = (outputs["logits"] - labels).square().sum() / num_items_in_batch
        return loss + (weight * 0).square().sum().sqrt()  # a root has no slope at 0

    more = {"compute_loss_func": measure}
    if counted is None:
        with pytest.raises(LossIsNaN, match="the norm of the gradients is nan in step 1"):
            train(slope, points, max_steps=3, max_grad_norm=0, more=more)
    else:
        with pytest.warns(ModelryWarning, match="the step is left out"):
            trainer = train(slope, points, max_steps=3, max_grad_norm=0, more=more, **values)
        assert trainer.state.skipped_steps == counted
    assert torch.isfinite(slope.weight).all()  # type: ignore[arg-type]  # a parameter


@pytest.mark.parametrize("divides", [True, False])
def test_labels_none_of_which_counts(divides: bool, make_toy: Any, texts: list[Any], train: Make) -> None:
    """A whole step of them has no loss, and says so; as a part of a step they count for nothing."""

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = make_toy()

        def forward(self, input_ids: torch.Tensor, labels: torch.Tensor) -> Any:
            return self.inner(input_ids=input_ids, labels=labels).loss

    make = make_toy if divides else Mean
    nothing = {**texts[0], "labels": torch.full_like(texts[0]["labels"], -100)}
    values = {"per_device_train_batch_size": 1, "train_sampling_strategy": "sequential", "max_steps": 1}
    with pytest.raises(LossIsNaN, match=r"none of the labels counts \(all are -100\), in step 1, rows 0 .*cut"):
        train(make(), [nothing], **values)
    one, both = (
        train(make(), rows, gradient_accumulation_steps=len(rows), **values).state.log_history[0]
        for rows in ([texts[0]], [texts[0], nothing])
    )
    assert one["loss"] == both["loss"] > 0
    assert one["grad_norm"] == both["grad_norm"] > 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"optim_args": "momentums=0.9", "optim": "sgd"}, "no parameter 'momentums': did you mean momentum"),
        ({"optim_args": {"amsgrad": "much"}}, "amsgrad 'much': input should be a valid boolean"),
        ({"lr_scheduler_kwargs": {"power": 2}, "lr_scheduler_type": "cosine"}, "schedule 'cosine' has no parameter"),
    ],
)
def test_what_an_optimizer_or_a_schedule_does_not_take_is_known_before_training(
    values: dict[str, Any], words: str, slope: nn.Module, points: list[Any], train: Make
) -> None:
    class Own(Trainer):
        def create_optimizer_and_scheduler(self, num_training_steps: int) -> None:
            """Reads the words its own way."""

    with pytest.raises(ParameterError, match=words):
        train(slope, points, run=False, **values)
    Own(slope, TrainingArguments("out", **values))


def test_things_of_another_kind(slope: nn.Module, points: list[Any], train: Make) -> None:
    with pytest.raises(ArgumentsError, match=r"args is a dict: give Trainer a modelry.TrainingArguments"):
        Trainer(slope, {"output_dir": "out"})  # type: ignore[arg-type]
    with pytest.raises(ArgumentsError, match="model is a str: give Trainer the model itself"):
        Trainer("some/model", TrainingArguments("out"))  # type: ignore[arg-type]  # a name, as some give
    with pytest.raises(ArgumentsError, match=r"each with a loss of its own: choose one, as .*'eval_easy_loss'"):
        train(slope, points, eval_strategy="steps", save_strategy="best", more={"eval_dataset": {"easy": points}})
    with pytest.raises(ArgumentsError, match="a callback is 'early', which listens to no event"):
        train(slope, points, more={"callbacks": ["early"]})
    with pytest.raises(ArgumentsError, match="no eval_dataset 'hard': the trainer's eval_dataset has 'easy'"):
        train(slope, points, run=False, more={"eval_dataset": {"easy": points}}).evaluate("hard")


@pytest.mark.parametrize(
    "labels", [torch.tensor(0.5), torch.tensor([1, 2, 0, 1, 2]), None], ids=["float", "two", "none"]
)
def test_labels_that_cannot_be_smoothed(labels: Any, make_toy: Any, texts: list[Any], train: Make) -> None:
    rows = [{"input_ids": row["input_ids"], **({} if labels is None else {"labels": labels})} for row in texts]
    with pytest.raises(ArgumentsError, match=r"label_smoothing_factor is 0.1, and .*leave it out"):
        train(make_toy(), rows, label_smoothing_factor=0.1)


def test_scores_by_their_place_and_none(slope: nn.Module, points: list[Any], train: Make) -> None:
    """A module of somebody else may return a tensor or a tuple, and may insist on labels."""
    rows = [{"x": one["x"], "labels": (one["labels"] > 0).long()} for one in points]

    class Named(type(slope)):  # type: ignore[misc]  # a class that conftest has
        def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            return {"logits": torch.stack([x @ self.weight, x[:, 0]], -1)}

    class Plain(Named):
        def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            return super().forward(x)["logits"]

    class First(Named):
        def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            return (super().forward(x)["logits"],)

    class Second(Named):
        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> Any:
            return labels.sum() * self.weight.sum(), super().forward(x)["logits"]

    class Nowhere(Named):
        def forward(self, x: torch.Tensor, labels: torch.Tensor | None = None) -> Any:
            return {"scores": super().forward(x)["logits"], "logits": None}

    values = {"label_smoothing_factor": 0.1, "max_steps": 2, "learning_rate": 0.1}
    named = train(Named(), rows, **values)
    for kind in (Plain, First, Second):
        other = train(kind(), rows, **values)
        assert torch.equal(other.model.weight, named.model.weight)
        assert (other.predict(rows).predictions == named.predict(rows).predictions).all()
    assert train(First(), rows, run=False).predict([{"x": row["x"]} for row in rows]).predictions.shape == (24, 2)
    with pytest.raises(ArgumentsError, match="returns a dict of scores, logits in which no tensor is 'logits'"):
        train(Nowhere(), rows, **values)


def test_a_model_without_a_head(make_toy: Any, texts: list[Any], train: Make) -> None:
    with pytest.raises(TrainingError, match="makes no loss of labels: train it with a head"):
        train(make_toy().model, texts)


def test_weights_that_cannot_learn(make_toy: Any, texts: list[Any], train: Make) -> None:
    with pytest.raises(ArgumentsError, match=r"weights that learn are float16.*Load the model with dtype='float32'"):
        train(make_toy().half(), texts, fp16=True)
    packed = make_toy()
    packed.hf_quantizer = object()
    with pytest.raises(ArgumentsError, match=r"packed .quantization., which do not learn: add an adapter"):
        train(packed, texts)
    packed.model.requires_grad_(False)  # what is left has been chosen
    train(packed, texts, max_steps=1)
