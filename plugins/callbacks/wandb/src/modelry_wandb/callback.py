"""Sends what a training logs to Weights & Biases, or keeps it in files where WANDB_MODE=offline."""

import os
from typing import Any, final

import wandb

from modelry.reporting import curves, settings


@final
class WandbCallback:
    """One run for each training; a training that is resumed goes on with its run. WANDB_PROJECT names the project."""

    def __init__(self) -> None:
        self.run_id: str | None = None
        self._run: Any = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"args": {}, "attributes": {"run_id": self.run_id}}

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Begin the run, with what is trained, and how."""
        if state.is_world_process_zero:
            self._open(args).config.update(settings(args.to_dict(), more.get("model")), allow_val_change=True)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        """One point of each curve."""
        if state.is_world_process_zero:
            self._open(args).log({**curves(logs or {}), "train/global_step": state.global_step})

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """End the run; what is logged later opens it again."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def _open(self, args: Any) -> Any:
        if self._run is None:
            project = os.environ.get("WANDB_PROJECT") or args.project
            self._run = wandb.init(project=project, name=args.run_name, id=self.run_id, resume="allow")
            self._run.define_metric("train/global_step")
            self._run.define_metric("*", step_metric="train/global_step", step_sync=True)
            self.run_id = self._run.id
        return self._run
