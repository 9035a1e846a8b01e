"""Writes what a training logs where `tensorboard --logdir` finds it."""

import json
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import Any, final

from torch.utils.tensorboard import SummaryWriter

from modelry.reporting import curves

FOLDER = "TENSORBOARD_LOGGING_DIR"
"""Environment variable that names the folder to write into."""


@final
class TensorBoardCallback:
    """One folder of curves for each training: $TENSORBOARD_LOGGING_DIR, or runs/<time>_<machine> in its output_dir."""

    def __init__(self) -> None:
        self._writer: Any = None
        self._folder = ""

    def on_train_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Open the folder, and say there what is trained, and how."""
        if not state.is_world_process_zero:
            return
        writer = self._open(args)
        writer.add_text("args", _code(args.to_dict()))
        config = getattr(more.get("model"), "config", None)
        if config is not None:
            writer.add_text("model_config", _code(config.to_dict()))

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **more: Any) -> None:
        """One point of each curve."""
        if state.is_world_process_zero:
            writer = self._open(args)
            for name, value in curves(logs or {}).items():
                writer.add_scalar(name, value, state.global_step)
            writer.flush()

    def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Close the files; what is logged later opens them again."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self, args: Any) -> Any:
        if self._writer is None:
            moment = f"{datetime.now():%b%d_%H-%M-%S}_{socket.gethostname()}"
            self._folder = self._folder or os.environ.get(FOLDER) or str(Path(args.output_dir) / "runs" / moment)
            self._writer = SummaryWriter(self._folder)
        return self._writer


def _code(values: dict[str, Any]) -> str:
    """JSON as the Markdown of TensorBoard shows it: indented by four."""
    return "".join(f"    {line}\n" for line in json.dumps(values, indent=2, default=str).splitlines())
