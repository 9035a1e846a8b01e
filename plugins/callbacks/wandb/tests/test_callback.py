"""What Weights & Biases itself keeps of a training without a network."""

import struct
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

wandb = pytest.importorskip("wandb")
records = pytest.importorskip("wandb.proto.wandb_internal_pb2")

from modelry_wandb import WandbCallback  # noqa: E402  # after the skip

BLOCK = 32_768


def training(*, first: bool = True) -> tuple[Any, Any]:
    arguments = SimpleNamespace(project="inn", run_name="night", to_dict=lambda: {"learning_rate": 0.5})
    return arguments, SimpleNamespace(global_step=0, is_world_process_zero=first)


def pieces(data: bytes) -> Iterator[bytes]:
    """The records of a log in LevelDB's format: blocks of 32 KiB, each record in one piece or in several."""
    at, held = 7, b""  # the file's own head
    while at + 7 <= len(data):
        if at % BLOCK > BLOCK - 7:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        held += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield held
            held = b""


def read(folder: Path) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The config, and the curves point by point, of the one run in a folder."""
    (file,) = folder.rglob("run-*.wandb")
    config: dict[str, str] = {}
    history: list[dict[str, str]] = []
    for data in pieces(file.read_bytes()):
        record = records.Record()
        record.ParseFromString(data)
        for update in (*record.config.update, *record.run.config.update):
            config[update.key or "/".join(update.nested_key)] = update.value_json
        if record.HasField("history"):
            history.append({one.key or "/".join(one.nested_key): one.value_json for one in record.history.item})
    return config, history


def test_curves_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_SILENT", "true")
    arguments, state = training()
    callback = WandbCallback()
    model = SimpleNamespace(config=SimpleNamespace(to_dict=lambda: {"hidden_size": 8}))
    callback.on_train_begin(arguments, state, None, model=model)
    for step in (1, 2):
        state.global_step = step
        callback.on_log(arguments, state, None, logs={"loss": 1.0 / step, "note": "no number"})
    callback.on_train_end(arguments, state, None)
    wandb.teardown()
    config, history = read(tmp_path)
    assert (config["learning_rate"], config["model/hidden_size"]) == ("0.5", "8")
    assert [(one["train/global_step"], float(one["train/loss"])) for one in history] == [("1", 1.0), ("2", 0.5)]
    assert callback.state() == {"args": {}, "attributes": {"run_id": callback.run_id}}
    assert callback.run_id


def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    arguments, state = training(first=False)
    callback = WandbCallback()
    callback.on_train_begin(arguments, state, None)
    callback.on_log(arguments, state, None, logs={"loss": 1.0})
    callback.on_train_end(arguments, state, None)
    assert not list(tmp_path.iterdir())
