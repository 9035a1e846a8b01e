"""A training that was interrupted, killed in the middle of a save included, goes on bit by bit as if it had not."""

import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry.errors import ModelryWarning
from modelry_trainer import Trainer, TrainerCallback
from modelry_trainer.checkpoints import folders
from modelry_trainer.errors import CheckpointUnusable, MetricFailed, SaveFailed

PROGRAM = Path(__file__).parent / "programs" / "training.py"


class Stop(TrainerCallback):
    """Ends the training after a step, as if it had been interrupted."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if state.global_step == self.step:
            raise KeyboardInterrupt


class Shuffled:
    """A stream that draws from the global generators."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        for number in torch.randperm(len(self.rows)).tolist():
            yield self.rows[number]


class Repeated:
    """A stream that gives the same rows each time."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)


VALUES: dict[str, Any] = {
    "num_train_epochs": 2,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 2,
    "save_strategy": "steps",
    "save_steps": 1,
    "logging_steps": 2,
    "learning_rate": 1e-2,
    "neftune_noise_alpha": 5.0,
    "lr_scheduler_type": "cosine",
    "eval_strategy": "epoch",
}


TIMES = (
    *("tokens_per_second", "memory_gb", "seconds_left", "eval_runtime", "eval_samples_per_second"),
    *("eval_steps_per_second", "train_runtime", "train_samples_per_second", "train_steps_per_second"),
)


@pytest.mark.parametrize("stop", [3, 4])
@pytest.mark.parametrize("kind", ["rows", "stream"])
def test_bit_by_bit(
    stop: int, kind: str, make_toy: Any, texts: list[Any], train: Callable[..., Trainer], losses: Any, tmp_path: Path
) -> None:
    data: Any = texts if kind == "rows" else Shuffled(texts)
    values = VALUES if kind == "rows" else {**VALUES, "max_steps": 6}
    more = {"eval_dataset": texts[:2]}
    whole = train(make_toy(), data, more=more, **values, output_dir=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(make_toy(), data, more={**more, "callbacks": [Stop(stop)]}, **values)
    again = train(make_toy(seed=9), data, run=False, more=more, **values)
    again.train(resume_from_checkpoint=True)
    assert losses(again) == losses(whole)
    assert [line.get("eval_loss") for line in again.state.log_history] == [
        line.get("eval_loss") for line in whole.state.log_history
    ]
    assert again.state.log_history[-1]["train_loss"] == whole.state.log_history[-1]["train_loss"]
    for left, right in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize("strategy", ["steps", "epoch"])
def test_what_a_callback_stopped_goes_on(
    strategy: str, make_toy: Any, texts: list[Any], train: Callable[..., Trainer], losses: Any, tmp_path: Path
) -> None:
    """In the middle of an epoch too, whose rest is read when the training is resumed."""

    class Late(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            control.should_training_stop |= state.global_step == 2

    values = {**VALUES, "save_strategy": strategy, "logging_steps": 1, "eval_strategy": "no"}
    whole = train(make_toy(), texts, **values, output_dir=tmp_path / "whole")
    stopped = train(make_toy(), texts, more={"callbacks": [Late()]}, **values)
    assert stopped.state.global_step == 2
    again = train(make_toy(seed=9), texts, run=False, **values)
    again.train(resume_from_checkpoint=True)
    assert losses(again) == losses(whole)
    assert [line["epoch"] for line in again.state.log_history[-2:]] == [2.0, 2.0]


@pytest.mark.parametrize("which", [0, 1])
def test_an_evaluation_that_failed_is_made_up_for(
    which: int, make_toy: Any, texts: list[Any], train: Callable[..., Trainer], tmp_path: Path
) -> None:
    """The one before the first step too, and that at the end of an epoch, of which nothing else is left."""
    coming: list[bool] = []

    def measure(given: Any) -> dict[str, float]:
        if coming and coming.pop(0):
            raise ValueError("no such word")
        return {}

    values = {**VALUES, "logging_strategy": "epoch", "num_train_epochs": 1, "load_best_model_at_end": True}
    values |= {"save_strategy": "epoch", "eval_on_start": True}
    more = {"eval_dataset": texts[:2], "compute_metrics": measure}
    whole = train(make_toy(), texts, more=more, **values, output_dir=tmp_path / "whole")
    coming += [False] * which + [True]
    with pytest.raises(MetricFailed):
        train(make_toy(), texts, more=more, **values)
    again = train(make_toy(seed=9), texts, run=False, more=more, **values)
    again.train(resume_from_checkpoint=True)
    told = [[{**line, **dict.fromkeys(TIMES, 0)} for line in one.state.log_history] for one in (again, whole)]
    assert told[0] == told[1]
    assert again.state.best_model_checkpoint == str(tmp_path / "out/checkpoint-3")


def test_what_an_epoch_logs_after_its_last_step_was_saved(
    make_toy: Any, texts: list[Any], train: Callable[..., Trainer]
) -> None:
    class Fall(TrainerCallback):
        def on_epoch_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            raise KeyboardInterrupt

    values = {**VALUES, "logging_strategy": "epoch", "max_steps": 3, "eval_strategy": "no"}
    data = Shuffled(texts)  # whose length, and so whether the epoch is the last, nobody knows
    whole = train(make_toy(), data, **values).state.log_history
    with pytest.raises(KeyboardInterrupt):
        train(make_toy(), data, more={"callbacks": [Fall()]}, **values)
    again = train(make_toy(seed=9), data, run=False, **values)
    again.train(resume_from_checkpoint=True)
    told = [[{**line, **dict.fromkeys(TIMES, 0)} for line in lines] for lines in (again.state.log_history, whole)]
    assert told[0] == told[1]


def test_killed_in_the_middle_of_a_save(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", str(PROGRAM), str(tmp_path / "killed"), "--hang-in-save", "4"]
    killed = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    marker = tmp_path / "killed" / "hanging"
    deadline = time.monotonic() + 120
    while not marker.exists() and killed.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert marker.exists()
    assert [one.name for one in folders.checkpoints(tmp_path / "killed")] == ["checkpoint-2", "checkpoint-3"]
    assert any(one.name.startswith(".checkpoint-4.") for one in (tmp_path / "killed").iterdir())
    train = runpy.run_path(str(PROGRAM))["main"]
    resumed, whole = train([str(tmp_path / "killed"), "--resume"]), train([str(tmp_path / "whole")])
    assert len(whole) == 8 + 16 * 4 + 16 + 16 + 1
    assert resumed == whole
    assert not any(one.name.startswith(".checkpoint") for one in (tmp_path / "killed").iterdir())


def test_a_corrupt_checkpoint_is_passed_over(
    make_toy: Any, texts: list[Any], train: Callable[..., Trainer], tmp_path: Path
) -> None:
    values = {**VALUES, "max_steps": 3, "eval_strategy": "no"}
    train(make_toy(), texts, **values)
    broken = tmp_path / "out/checkpoint-3/model.safetensors"
    content = bytearray(broken.read_bytes())
    content[-1] ^= 1
    broken.write_bytes(content)
    again = train(make_toy(), texts, run=False, **values)
    for asked in (True, tmp_path / "out/checkpoint-3"):
        with pytest.warns(ModelryWarning, match=r"its bytes have changed.*resumes from the one before, .*checkpoint-2"):
            again.train(resume_from_checkpoint=asked)
        assert again.state.global_step == 3
        broken.write_bytes(content)


@pytest.mark.parametrize(("before", "after"), [((4, 1), (2, 2)), ((2, 2), (4, 1))])
@pytest.mark.parametrize("kind", ["rows", "stream"])
def test_batches_of_another_size(
    kind: str, before: tuple[int, int], after: tuple[int, int], make_toy: Any, texts: list[Any], train: Any, losses: Any
) -> None:
    """Of 10 rows the last step of an epoch has 2, in one batch; the next one begins a new epoch."""
    sizes = ("per_device_train_batch_size", "gradient_accumulation_steps")
    values = {**VALUES, "eval_strategy": "no", "logging_steps": 1, "max_steps": 5, "neftune_noise_alpha": None}
    data: Any = texts if kind == "rows" else Repeated(texts)
    whole = train(make_toy(), data, **{**values, **dict(zip(sizes, before, strict=True))})
    again = train(make_toy(seed=9), data, run=False, **{**values, **dict(zip(sizes, after, strict=True))})
    again.train(resume_from_checkpoint=Path(again.args.output_dir) / "checkpoint-3")
    assert losses(again) == pytest.approx(losses(whole), abs=1e-6)


def test_what_the_optimizer_remembers_is_told(make_toy: Any, texts: list[Any], train: Callable[..., Trainer]) -> None:
    values = {**VALUES, "max_steps": 1, "eval_strategy": "no"}
    train(make_toy(), texts, **values)
    again = train(make_toy(), texts, run=False, **{**values, "max_steps": 2, "learning_rate": 0.5})
    with pytest.warns(ModelryWarning, match=r"checkpoint-1 has it, with learning_rate 0\.01 \(now 0\.5\): for other"):
        again.train(resume_from_checkpoint=True)
    assert again.get_learning_rate() < 0.01


def test_other_data_is_told(make_toy: Any, texts: list[Any], train: Callable[..., Trainer]) -> None:
    values = {**VALUES, "max_steps": 1, "eval_strategy": "no"}
    train(make_toy(), texts, **values)
    for other, words in ((texts[:6], "has 6"), (Shuffled(texts), "has no known number")):
        again = train(make_toy(), other, run=False, **{**values, "max_steps": 2})
        with pytest.warns(ModelryWarning, match=f"training on 10 rows, and train_dataset {words}"):
            again.train(resume_from_checkpoint=True)
        assert again.state.global_step == 2
        shutil.rmtree(Path(again.args.output_dir) / "checkpoint-2")


def test_what_cannot_be_resumed_from(
    make_toy: Any, texts: list[Any], train: Callable[..., Trainer], tmp_path: Path
) -> None:
    values = {**VALUES, "max_steps": 1, "eval_strategy": "no"}
    with pytest.raises(CheckpointUnusable, match="there is none at all"):
        train(make_toy(), texts, run=False, **values).train(resume_from_checkpoint=True)
    train(make_toy(), texts, **values)
    other = train(make_toy(), texts, run=False, **{**values, "seed": 7})
    with pytest.raises(CheckpointUnusable, match="belongs to another training: seed was 42 and is 7"):
        other.train(resume_from_checkpoint=True)
    shutil.rmtree(tmp_path / "out")
    values["dataloader_drop_last"] = True
    train(make_toy(), texts, **values)
    fours = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}
    other = train(make_toy(), texts, run=False, **{**values, **fours})
    with pytest.raises(CheckpointUnusable, match="2 rows were read at a time and are 4, and dataloader_drop_last goes"):
        other.train(resume_from_checkpoint=True)
    foreign = tmp_path / "foreign/checkpoint-1"
    foreign.mkdir(parents=True)
    (foreign / "optimizer.pt").write_bytes(b"pickle")
    with pytest.raises(CheckpointUnusable, match="pickled states, which are never loaded"):
        other.train(resume_from_checkpoint=foreign)
    train(make_toy(), texts, **values, save_only_model=True)
    with pytest.raises(CheckpointUnusable, match="holds the model only"):
        train(make_toy(), texts, run=False, **values).train(resume_from_checkpoint=True)


def test_an_optimizer_of_other_parameters(make_toy: Any, texts: list[Any], train: Callable[..., Trainer]) -> None:
    """Its state goes by places: in the same number of groups and of the same shapes it would be another's."""
    values = {**VALUES, "max_steps": 1, "eval_strategy": "no"}
    train(make_toy(), texts, **values)

    def optimizer(model: Any, change: Callable[[list[Any]], Any]) -> Any:
        return torch.optim.SGD(change(list(model.parameters())), lr=0.1)

    def refused(change: Callable[[list[Any]], Any], model: Any) -> str:
        given = {"optimizers": (optimizer(model, change), None)} if change else {}
        with pytest.raises(CheckpointUnusable) as found:
            train(model, texts, run=False, more=given, **values).train(resume_from_checkpoint=True)
        return str(found.value)

    frozen = make_toy()
    name, last = list(frozen.named_parameters())[-1]
    last.requires_grad_(False)
    assert f"; {name} was number" in refused(None, frozen)  # type: ignore[arg-type]  # as the arguments say
    assert "was number 0 of group 0, of shape" in refused(lambda all_: [*reversed(all_)], make_toy())
    assert "in 2 groups, and moves" in refused(lambda all_: [{"params": [one]} for one in all_], make_toy())


def test_a_full_disk_leaves_the_checkpoint_before(
    make_toy: Any, texts: list[Any], train: Callable[..., Trainer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelry_trainer import resuming

    def write(folder: Path, name: str, tree: Any, **more: Any) -> None:
        if "checkpoint-2" in str(folder):
            raise OSError(28, "No space left on device")
        real(folder, name, tree, **more)

    real = resuming.write_tree
    monkeypatch.setattr(resuming, "write_tree", write)
    with pytest.raises(SaveFailed, match=r"checkpoint-2 could not be written .*No space left.*are whole"):
        train(make_toy(), texts, **{**VALUES, "eval_strategy": "no"})
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["checkpoint-1"]
    folders.verify(tmp_path / "out/checkpoint-1")
