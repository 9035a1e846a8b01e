"""What is logged, one line each, where no bar can move: in files, pipes and notebooks of a job queue."""

from typing import TYPE_CHECKING, Any

from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.state import TrainerControl, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


class PrinterCallback(TrainerCallback):
    """Prints each log on standard output."""

    def on_log(
        self,
        args: "TrainingArguments",
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """The step, then names and values."""
        if state.is_local_process_zero:
            told = "  ".join(f"{name} {_short(value)}" for name, value in (logs or {}).items())
            print(f"step {state.global_step}/{state.max_steps}  {told}", flush=True)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
