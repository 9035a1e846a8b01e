"""Progress of a training on a terminal: loss, rate, tokens per second, memory, time left. Elsewhere nothing."""

import sys
from typing import TYPE_CHECKING, Any

from tqdm import tqdm  # type: ignore[import-untyped]  # it ships no types

from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.state import TrainerControl, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments

_SHOWN = {
    "loss": ("loss", "{:.4f}"),
    "eval_loss": ("eval", "{:.4f}"),
    "learning_rate": ("rate", "{:.2e}"),
    "grad_norm": ("norm", "{:.2f}"),
    "tokens_per_second": ("tokens/s", "{:.0f}"),
    "memory_gb": ("GB", "{:.2f}"),
}


class ProgressCallback(TrainerCallback):
    """A bar on standard error, where that is a terminal."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._last: dict[str, str] = {}

    def on_train_begin(
        self, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Draw the bar, from where the training goes on."""
        if sys.stderr.isatty():
            self._bar = tqdm(total=state.max_steps, initial=state.global_step, unit="step", dynamic_ncols=True)

    def on_step_end(self, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any) -> None:
        """One step on."""
        if self._bar is not None:
            self._bar.update(state.global_step - self._bar.n)

    def on_log(
        self,
        args: "TrainingArguments",
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **more: Any,
    ) -> None:
        """Show the last values beside the bar."""
        if self._bar is not None:
            found = {name: logs[name] for name in _SHOWN if logs is not None and name in logs}
            self._last |= {_SHOWN[name][0]: _SHOWN[name][1].format(value) for name, value in found.items()}
            self._bar.set_postfix(self._last)

    def on_train_end(
        self, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Leave the bar standing."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
