"""What MLflow itself has of a training, in a folder of files."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

mlflow = pytest.importorskip("mlflow")

from modelry.errors import ParameterError  # noqa: E402  # after the skip
from modelry_mlflow import MLflowCallback  # noqa: E402  # after the skip

pytestmark = pytest.mark.filterwarnings("ignore:codecs.open:DeprecationWarning")  # since 3.14, of MLflow's files


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tmp_path.as_uri())
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "inn")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return mlflow.MlflowClient()


def training(*, first: bool = True) -> tuple[Any, Any]:
    told = {"learning_rate": 0.5, **{f"number_{one}": one for one in range(150)}}
    arguments = SimpleNamespace(run_name="night", to_dict=lambda: told)
    return arguments, SimpleNamespace(global_step=0, is_world_process_zero=first)


def run(callback: MLflowCallback, arguments: Any, state: Any, *steps: int) -> None:
    model = SimpleNamespace(config=SimpleNamespace(to_dict=lambda: {"text": "x" * 600}))
    callback.on_train_begin(arguments, state, None, model=model)
    for step in steps:
        state.global_step = step
        callback.on_log(arguments, state, None, logs={"loss": 1.0 / step, "note": "no number"})
    callback.on_train_end(arguments, state, None)


def test_curves_and_settings(server: Any) -> None:
    callback = MLflowCallback()
    run(callback, *training(), 1, 2)
    found = server.get_run(callback.run_id)
    assert (found.info.run_name, found.info.status) == ("night", "FINISHED")
    assert server.get_experiment(found.info.experiment_id).name == "inn"
    assert found.data.params["learning_rate"] == "0.5"
    assert len(found.data.params["model/text"]) == 500
    assert len(found.data.params) == 152
    curve = server.get_metric_history(callback.run_id, "train/loss")
    assert [(one.step, one.value) for one in curve] == [(1, 1.0), (2, 0.5)]


def test_a_training_that_goes_on_has_one_run(server: Any) -> None:
    first, second = MLflowCallback(), MLflowCallback()
    run(first, *training(), 1)
    second.run_id = first.state()["attributes"]["run_id"]
    run(second, *training(), 2)
    curve = server.get_metric_history(first.run_id, "train/loss")
    assert [one.step for one in curve] == [1, 2]
    assert server.get_run(first.run_id).info.status == "FINISHED"


def test_only_the_first_process_writes(server: Any) -> None:
    callback = MLflowCallback()
    run(callback, *training(first=False), 1)
    assert callback.run_id is None
    assert server.get_experiment_by_name("inn") is None


def test_where_it_cannot_write_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nowhere://at-all")
    with pytest.raises(ParameterError, match=r"cannot write to nowhere://at-all: .*Set MLFLOW_TRACKING_URI"):
        run(MLflowCallback(), *training(), 1)
