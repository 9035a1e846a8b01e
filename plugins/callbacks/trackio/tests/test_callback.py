"""What trackio itself keeps of a training, read in a process of its own: it looks for its folder once."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("trackio")

SCRIPT = """
import json
from types import SimpleNamespace
import trackio
from modelry_trackio import TrackioCallback
from trackio.sqlite_storage import SQLiteStorage

model = SimpleNamespace(config=SimpleNamespace(to_dict=lambda: {"hidden_size": 8}))
arguments = SimpleNamespace(project="inn", run_name="night", to_dict=lambda: {"learning_rate": 0.5})
state = SimpleNamespace(global_step=0, is_world_process_zero=True)
kept = {}
for steps in ((1, 2), (3,)):  # the second one goes on where the first one ended
    callback = TrackioCallback()
    vars(callback).update(kept)
    callback.on_train_begin(arguments, state, None, model=model)
    for state.global_step in steps:
        callback.on_log(arguments, state, None, logs={"loss": 1.0 / state.global_step, "note": "no number"})
    callback.on_train_end(arguments, state, None)
    kept = callback.state()["attributes"]
runs = list(trackio.Api().runs("inn"))
found = {"runs": [one.name for one in runs], "config": runs[0].config, "logs": SQLiteStorage.get_logs("inn", "night")}
print("\\n" + json.dumps(found, default=str))
"""


def test_curves_and_settings_of_a_training_that_goes_on(tmp_path: Path) -> None:
    environment = {**os.environ, "TRACKIO_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(next(line for line in done.stdout.splitlines() if line.startswith('{"runs"')))
    assert found["runs"] == ["night"]
    assert (found["config"]["learning_rate"], found["config"]["model/hidden_size"]) == (0.5, 8)
    assert [(one["step"], one["train/loss"]) for one in found["logs"]] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]


def test_only_the_first_process_writes() -> None:
    from modelry_trackio import TrackioCallback

    callback = TrackioCallback()
    other = SimpleNamespace(global_step=1, is_world_process_zero=False)
    callback.on_train_begin(SimpleNamespace(), other, None)
    callback.on_log(SimpleNamespace(), other, None, logs={"loss": 1.0})
    assert callback.run_name is None
