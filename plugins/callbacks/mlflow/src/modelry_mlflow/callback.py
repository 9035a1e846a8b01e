"""Writes what a training logs to the MLflow server, or the folder, that MLFLOW_TRACKING_URI names."""

import os
import time
from typing import Any, final

from mlflow import MlflowClient  # type: ignore[import-not-found]  # it lives in an environment of its own
from mlflow.entities import Metric, Param  # type: ignore[import-not-found]  # the same
from mlflow.exceptions import MlflowException  # type: ignore[import-not-found]  # the same

from modelry.errors import ParameterError
from modelry.reporting import curves, settings

AT_ONCE = 100
"""Parameters in one request; more are refused."""
LONGEST = 500
"""Characters of a parameter's value; longer ones are cut, which every server accepts."""


@final
class MLflowCallback:
    """One run for each training; a training that is resumed goes on with its run. MLFLOW_EXPERIMENT_NAME names the
    experiment.
    """

    def __init__(self) -> None:
        self.run_id: str | None = None
        self._client: MlflowClient | None = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"args": {}, "attributes": {"run_id": self.run_id}}

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Begin the run, with what is trained, and how; one that goes on has it already."""
        if not state.is_world_process_zero:
            return
        fresh = self.run_id is None
        client, run = self._open(args)
        if fresh:
            told = [
                Param(name, str(value)[:LONGEST]) for name, value in settings(args.to_dict(), more.get("model")).items()
            ]
            for begin in range(0, len(told), AT_ONCE):
                client.log_batch(run, params=told[begin : begin + AT_ONCE])
        else:
            client.set_terminated(run, "RUNNING")

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        """One point of each curve."""
        if state.is_world_process_zero:
            client, run = self._open(args)
            moment = int(time.time() * 1000)
            points = [Metric(name, value, moment, state.global_step) for name, value in curves(logs or {}).items()]
            client.log_batch(run, metrics=points)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Say that the run is finished."""
        if self._client is not None and self.run_id is not None:
            self._client.set_terminated(self.run_id)

    def _open(self, args: Any) -> tuple[MlflowClient, str]:
        if self._client is None:
            self._client = _client()
        if self.run_id is None:
            self.run_id = self._client.create_run(_experiment(self._client), run_name=args.run_name).info.run_id
        return self._client, self.run_id


def _client() -> MlflowClient:
    try:
        return MlflowClient()
    except (MlflowException, ImportError) as error:
        place = os.environ.get("MLFLOW_TRACKING_URI") or "MLflow's own default, a database beside the program"
        raise ParameterError(
            f"MLflow cannot write to {place}: {' '.join(str(error).split())[:300]}. Set MLFLOW_TRACKING_URI to a "
            "server's address (mlflow server), or run: pip install mlflow, which brings the drivers of databases"
        ) from error


def _experiment(client: MlflowClient) -> str:
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
    found = client.get_experiment_by_name(name)
    made: str = client.create_experiment(name) if found is None else found.experiment_id
    return made
