"""What users replace: the loss, the optimizer, the data; adapters, workers, metrics."""

import copy
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from modelry.errors import ModelryWarning
from modelry_trainer import Trainer, TrainingArguments
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.gradients import Gradients

Make = Callable[..., Trainer]
ACCUMULATED: dict[str, Any] = {"max_steps": 2, "optim": "sgd", "learning_rate": 0.5, "max_grad_norm": 0}


class Own(Trainer):
    """A mean over the batch, as most people write it."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        outputs = model(input_ids=inputs["input_ids"])
        loss = F.cross_entropy(outputs.logits[:, :-1].flatten(0, 1), inputs["labels"][:, 1:].flatten())
        return (loss, outputs) if return_outputs else loss


class Divided(Trainer):
    """A sum over the batch, divided by what all batches of the step have."""

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        outputs = model(input_ids=inputs["input_ids"])
        return own_function(outputs, inputs["labels"], num_items_in_batch)


class Handed(Trainer):
    """What the trainer would do, and a little more."""

    def compute_loss(self, model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
        return super().compute_loss(model, inputs, *more, **named) * 1.0


def own_function(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None) -> torch.Tensor:
    summed = F.cross_entropy(outputs.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), reduction="sum")
    return summed / num_items_in_batch if num_items_in_batch is not None else summed


@pytest.mark.parametrize(
    ("kind", "more"), [(Own, {}), (Divided, {}), (Handed, {}), (Trainer, {"compute_loss_func": own_function})]
)
def test_a_loss_of_ones_own_is_accumulated_exactly(
    kind: type[Trainer], more: Any, make_toy: Any, texts: list[Any], train: Make, tmp_path: Path
) -> None:
    whole, own = make_toy(), make_toy()
    train(whole, texts, per_device_train_batch_size=6, **ACCUMULATED)
    arguments = TrainingArguments(
        tmp_path,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=6,
        report_html=False,
        save_strategy="no",
        **ACCUMULATED,
    )
    kind(own, arguments, train_dataset=texts, **more).train()
    for left, right in zip(whole.parameters(), own.parameters(), strict=True):
        torch.testing.assert_close(left, right, atol=1e-6, rtol=0)


def test_an_order_of_ones_own(slope: nn.Module, points: list[Any], tmp_path: Path) -> None:
    class Backwards(Trainer):
        seen: list[torch.Tensor] = []  # noqa: RUF012  one trainer only

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return list(reversed(range(len(self.train_dataset))))

        def compute_loss(self, model: Any, inputs: Any, *more: Any, **named: Any) -> Any:
            self.seen.append(inputs["labels"].clone())
            return super().compute_loss(model, inputs, *more, **named)

    arguments = TrainingArguments(tmp_path, num_train_epochs=1, report_html=False, save_strategy="no")
    trainer = Backwards(slope, arguments, train_dataset=points)
    trainer.train()
    assert torch.cat(trainer.seen).tolist() == [float(row["labels"]) for row in reversed(points)]
    workers = {"num_workers": 1, "multiprocessing_context": "spawn", "prefetch_factor": 3, "persistent_workers": True}
    arguments = TrainingArguments(tmp_path, **{f"dataloader_{name}": value for name, value in workers.items()})
    loader = Backwards(slope, arguments, train_dataset=points).get_train_dataloader()
    assert loader.multiprocessing_context.get_start_method() == "spawn"
    assert (loader.num_workers, loader.prefetch_factor, loader.persistent_workers) == (1, 3, True)


@pytest.mark.parametrize("kind", ["mean", "sum", "pixels"])
def test_losses_that_count_something_else_are_accumulated_exactly(kind: str, train: Make) -> None:
    """CTC: of rows, however many labels each has; classes of pixels: all but those of one class."""

    class LinesForCTC(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.line = nn.Linear(3, 3)
            said = {"semantic_loss_ignore_index": 7} if kind == "pixels" else {"ctc_loss_reduction": kind}
            self.config = SimpleNamespace(**said)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            found = self.line(x)
            if kind == "pixels":
                return {"loss": F.cross_entropy(found.mT, labels, ignore_index=7)}
            rows = F.cross_entropy(found.mT, labels, reduction="none").sum(-1) / (labels != -100).sum(-1)
            return {"loss": rows.sum() if kind == "sum" else rows.mean()}

    LinesForCTC.__name__ = "Pixels" if kind == "pixels" else "LinesForCTC"
    generator, rows = torch.Generator().manual_seed(0), []
    for number in range(6):
        labels = torch.randint(0, 3, (4,), generator=generator)
        labels[1 + number % 3 :] = 7 if kind == "pixels" else -100
        rows.append({"x": torch.randn(4, 3, generator=generator), "labels": labels})
    torch.manual_seed(0)
    whole = LinesForCTC()
    parts = copy.deepcopy(whole)
    train(whole, rows, per_device_train_batch_size=6, **ACCUMULATED)
    train(parts, rows, per_device_train_batch_size=2, gradient_accumulation_steps=3, **ACCUMULATED)
    torch.testing.assert_close(whole.line.weight, parts.line.weight, atol=1e-6, rtol=0)


def test_a_mean_of_means_is_of_those_that_have_rows() -> None:
    """Of four processes, one reads the last row, and the others keep it company: its loss is the step's."""
    gradients: Any = object.__new__(Gradients)
    world = SimpleNamespace(data_size=4, total=lambda *values: [1.0])
    gradients.trainer = SimpleNamespace(world=world, args=TrainingArguments(average_tokens_across_devices=False))
    assert gradients._of_all(torch.tensor(5)) == 5


def test_a_loader_and_an_optimizer_of_ones_own(slope: nn.Module, points: list[Any], tmp_path: Path) -> None:
    class Loaded(Trainer):
        def get_train_dataloader(self) -> Any:
            return torch.utils.data.DataLoader(points, batch_size=4, shuffle=True)

    weights = []
    for resume in (False, True):  # and the order that its sampler draws is the same again
        with torch.no_grad():
            slope.weight.zero_()
        arguments = TrainingArguments(tmp_path, max_steps=4, save_steps=3, report_html=False)
        trainer = Loaded(slope, arguments, optimizer_cls_and_kwargs=(torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}))
        trainer.train(resume_from_checkpoint=tmp_path / "checkpoint-3" if resume else None)
        assert isinstance(trainer.optimizer, torch.optim.SGD)
        weights.append(slope.weight.detach().clone())
    assert torch.equal(weights[0], weights[1])


@pytest.mark.parametrize(
    "values",
    [
        {"optim": "schedule_free_adamw", "lr_scheduler_type": "constant"},
        {"lr_scheduler_type": "reduce_lr_on_plateau", "eval_strategy": "steps", "eval_steps": 1},
        {"fp16": True},
    ],
)
def test_resumed_too(values: dict[str, Any], make_toy: Any, texts: list[Any], train: Make, losses: Any) -> None:
    given: dict[str, Any] = {
        "max_steps": 4,
        "save_strategy": "steps",
        "save_steps": 2,
        "per_device_train_batch_size": 4,
        **values,
    }
    more = {"eval_dataset": texts[:2]}
    whole = train(make_toy(), texts, more=more, **given)
    again = train(make_toy(seed=5), texts, run=False, more=more, **given)
    again.train(resume_from_checkpoint=Path(again.args.output_dir) / "checkpoint-2")
    assert losses(again) == losses(whole)
    for left, right in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(left, right)
    assert whole.train().global_step == 4  # and once more from where the weights are


def test_adapters_resume(make_toy: Any, texts: list[Any], train: Make, losses: Any) -> None:
    peft = pytest.importorskip("peft")

    def adapted(seed: int) -> Any:
        torch.manual_seed(seed)
        return peft.get_peft_model(make_toy(), peft.LoraConfig(target_modules=["q_proj", "v_proj"], lora_dropout=0.1))

    values: dict[str, Any] = {"max_steps": 3, "save_strategy": "steps", "save_steps": 2, "learning_rate": 1e-2}
    whole = train(adapted(0), texts, **values)
    again = train(adapted(1), texts, run=False, **values)
    folder = Path(again.args.output_dir) / "checkpoint-2"
    again.train(resume_from_checkpoint=folder)
    assert losses(again) == losses(whole)
    assert (folder / "adapter_model.safetensors").is_file()


@pytest.mark.parametrize("calls", ["inherited", "another model", "nothing"])
def test_checkpoints_are_saved_by_a_save_model_of_ones_own(
    calls: str, make_toy: Any, texts: list[Any], train: Make, losses: Any, tmp_path: Path
) -> None:
    other = make_toy(seed=7)

    class Saving(Trainer):
        def save_model(self, output_dir: Any = None, _internal_call: bool = False) -> None:
            kept = self.model
            if calls == "another model":
                self.model = other  # as with adapters that are merged
            if calls != "nothing":
                super().save_model(output_dir, _internal_call)
            self.model = kept
            Path(output_dir).mkdir(exist_ok=True)
            Path(output_dir + "/own.txt").write_text(str(_internal_call))

    values: dict[str, Any] = {"max_steps": 4, "learning_rate": 1e-2, "save_steps": 2, "logging_steps": 1}
    made = TrainingArguments(tmp_path, report_html=False, **values)
    whole, again = (Saving(make_toy(seed=seed), made, train_dataset=texts) for seed in (0, 5))
    whole.train()
    folder = tmp_path / "checkpoint-2"
    assert (folder / "own.txt").read_text() == "True"
    assert (folder / "model.safetensors").is_file() == (calls != "nothing")
    assert (folder / "weights.safetensors").is_file() == (calls != "inherited")
    if calls == "another model":
        assert torch.equal(type(other).from_pretrained(folder).lm_head.weight, other.lm_head.weight)
    again.train(resume_from_checkpoint=folder)
    assert losses(again) == losses(whole)
    assert not list(tmp_path.glob(".checkpoint*"))


def test_a_save_model_of_ones_own_that_fails(make_toy: Any, texts: list[Any], tmp_path: Path) -> None:
    class Saving(Trainer):
        def save_model(self, output_dir: Any = None, _internal_call: bool = False) -> None:
            super().save_model(output_dir, _internal_call)
            if self.state.global_step == 2:
                raise ValueError("no")

    made = TrainingArguments(tmp_path, report_html=False, max_steps=2, save_steps=1)
    with pytest.raises(ValueError, match="no"):
        Saving(make_toy(), made, train_dataset=texts).train()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["checkpoint-1"]


def test_workers_read_the_same(slope: nn.Module, points: list[Any], train: Make, losses: Any) -> None:
    alone = losses(train(slope, points, max_steps=3, learning_rate=0.0))
    assert losses(train(slope, points, max_steps=3, learning_rate=0.0, dataloader_num_workers=1)) == alone


@pytest.mark.filterwarnings("ignore:.* is multi-threaded:DeprecationWarning")  # Python's since 3.12, of forks
def test_workers_divide_a_stream(slope: nn.Module, points: list[Any], train: Make, losses: Any) -> None:
    class Stream:
        def __iter__(self) -> Any:
            return iter(points)

    class Torchs(Stream, torch.utils.data.IterableDataset[Any]):
        pass

    values: dict[str, Any] = {"max_steps": 3, "learning_rate": 0.0, "dataloader_num_workers": 2}
    values["dataloader_multiprocessing_context"] = "fork"  # the others would have to pickle these classes
    alone = losses(train(slope, Stream(), max_steps=3, learning_rate=0.0))
    assert losses(train(slope, Stream(), **values)) == alone
    with pytest.warns(ModelryWarning, match="each reads all of it, unless"):
        train(slope, Torchs(), **values)


def test_metrics_of_several_data_sets_and_of_batches(slope: nn.Module, points: list[Any], train: Make) -> None:
    seen: list[int] = []

    def measure(given: Any, compute_result: bool) -> dict[str, float]:
        seen.append(len(given.predictions))
        assert len(given.losses) == len(given.inputs) == len(given.predictions)
        return {"rows": sum(seen)} if compute_result else {}

    trainer = train(
        slope,
        points,
        run=False,
        batch_eval_metrics=True,
        include_for_metrics=["inputs", "loss"],
        more={"eval_dataset": {"few": points[:3], "more": points[:11]}, "compute_metrics": measure},
    )
    slope.main_input_name = "x"  # type: ignore[assignment]  # as models say it
    metrics = trainer.evaluate()
    assert seen == [3, 8, 3]
    assert (metrics["eval_few_rows"], metrics["eval_more_rows"]) == (3, 14)
    assert trainer.evaluate("few")["eval_rows"] == 17  # one by its name; all that were measured so far
    found = trainer.predict(points[:11])
    assert (len(found.predictions), len(found.label_ids), found.metrics["test_rows"]) == (11, 11, 28)
    trainer.args.prediction_loss_only = True
    only = trainer.predict(points[:11])
    assert (only.predictions, only.label_ids, only.metrics["test_loss"]) == (None, None, found.metrics["test_loss"])


def test_every_row_of_a_stream_is_evaluated(slope: nn.Module, points: list[Any], train: Make) -> None:
    trainer = train(slope, points, run=False, dataloader_drop_last=True)
    wanted = trainer.evaluate(points[:11])["eval_loss"]
    assert trainer.evaluate(iter(points[:11]))["eval_loss"] == pytest.approx(wanted)


def test_an_optimizer_that_warms_up_itself_is_told(slope: nn.Module, points: list[Any], train: Make) -> None:
    values = {"optim": "schedule_free_adamw", "lr_scheduler_type": "constant", "max_steps": 1}
    trainer = train(slope, points, warmup_steps=5, **values)
    assert trainer.optimizer.param_groups[0]["warmup_steps"] == 5
    trainer = train(slope, points, warmup_steps=0.3, **{**values, "max_steps": 4})
    assert trainer.optimizer.param_groups[0]["warmup_steps"] == 2  # 1.2 of 4
    trainer = train(slope, points, warmup_steps=0.3, run=False, **{**values, "max_steps": -1})
    with pytest.raises(ArgumentsError, match="a part of all steps, and nobody knows yet how many"):
        trainer.create_optimizer()
    trainer.create_optimizer_and_scheduler(10)
    assert trainer.optimizer.param_groups[0]["warmup_steps"] == 3
