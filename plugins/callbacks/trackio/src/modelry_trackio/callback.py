"""Writes what a training logs where `trackio show` finds it."""

from typing import Any, final

import trackio  # type: ignore[import-not-found]  # it lives in an environment of its own

from modelry.reporting import curves, settings


@final
class TrackioCallback:
    """One run of the project that the arguments name, for each training; one that is resumed goes on with its run."""

    def __init__(self) -> None:
        self.run_name: str | None = None
        self._run: Any = None

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"args": {}, "attributes": {"run_name": self.run_name}}

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Begin the run, with what is trained, and how."""
        if state.is_world_process_zero:
            self._open(args, config=settings(args.to_dict(), more.get("model")))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        """One point of each curve."""
        if state.is_world_process_zero:
            self._open(args).log(curves(logs or {}), step=state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """End the run; what is logged later opens it again."""
        if self._run is not None:
            self._run.finish()
            self._run = None

    def _open(self, args: Any, *, config: dict[str, Any] | None = None) -> Any:
        if self._run is None:
            name = self.run_name or args.run_name
            self._run = trackio.init(project=args.project, name=name, resume="allow", config=config)
            self.run_name = self._run.name
        return self._run
