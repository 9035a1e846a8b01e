"""What TensorBoard itself reads from the folder of a training."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from modelry_tensorboard import TensorBoardCallback


def training(folder: Path, *, first: bool = True) -> tuple[Any, Any]:
    arguments = SimpleNamespace(output_dir=str(folder), to_dict=lambda: {"learning_rate": 0.5})
    return arguments, SimpleNamespace(global_step=0, is_world_process_zero=first)


def run(callback: TensorBoardCallback, arguments: Any, state: Any) -> None:
    model = SimpleNamespace(config=SimpleNamespace(to_dict=lambda: {"hidden_size": 8}))
    callback.on_train_begin(arguments, state, None, model=model)
    for step in (1, 2):
        state.global_step = step
        callback.on_log(arguments, state, None, logs={"loss": 1.0 / step, "note": "no number"})
    callback.on_train_end(arguments, state, None)
    callback.on_log(arguments, state, None, logs={"eval_loss": 0.25})
    callback.on_train_end(arguments, state, None)


def read(folder: Path) -> EventAccumulator:
    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_curves_and_settings(tmp_path: Path) -> None:
    run(TensorBoardCallback(), *training(tmp_path))
    (folder,) = (tmp_path / "runs").iterdir()
    found = read(folder)
    assert set(found.Tags()["scalars"]) == {"train/loss", "eval/loss"}
    assert [(one.step, one.value) for one in found.Scalars("train/loss")] == [(1, 1.0), (2, 0.5)]
    assert [(one.step, one.value) for one in found.Scalars("eval/loss")] == [(2, 0.25)]
    texts = {name: found.Tensors(name)[0].tensor_proto.string_val[0] for name in found.Tags()["tensors"]}
    assert b'"learning_rate": 0.5' in texts["args/text_summary"]
    assert b'"hidden_size": 8' in texts["model_config/text_summary"]


def test_the_folder_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "here"))
    run(TensorBoardCallback(), *training(tmp_path / "there"))
    assert "train/loss" in read(tmp_path / "here").Tags()["scalars"]
    assert not (tmp_path / "there").exists()


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    run(TensorBoardCallback(), *training(tmp_path, first=False))
    assert not list(tmp_path.iterdir())
