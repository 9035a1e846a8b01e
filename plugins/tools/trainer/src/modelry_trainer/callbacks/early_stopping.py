"""Stopping when the metric has not become better for so many evaluations."""

from typing import TYPE_CHECKING, Any

from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.state import TrainerControl, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


class EarlyStoppingCallback(TrainerCallback):
    """Stops a training whose metric_for_best_model stands still.

    Args:
        early_stopping_patience: evaluations in a row without a better one.
        early_stopping_threshold: how much better a better one is, at least.
    """

    def __init__(self, early_stopping_patience: int = 1, early_stopping_threshold: float = 0.0) -> None:
        self.early_stopping_patience = early_stopping_patience
        self.early_stopping_threshold = early_stopping_threshold
        self.early_stopping_patience_counter = 0

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {
            "args": {
                "early_stopping_patience": self.early_stopping_patience,
                "early_stopping_threshold": self.early_stopping_threshold,
            },
            "attributes": {"early_stopping_patience_counter": self.early_stopping_patience_counter},
        }

    def on_train_begin(
        self, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any
    ) -> None:
        """Refuse a training that has nothing to watch.

        Raises:
            ArgumentsError: no metric, or no evaluations.
        """
        if args.metric_for_best_model is None or args.eval_strategy == "no":
            raise ArgumentsError("EarlyStoppingCallback needs metric_for_best_model and an eval_strategy: set both")

    def on_evaluate(
        self,
        args: "TrainingArguments",
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **more: Any,
    ) -> None:
        """Count an evaluation that was no better; the best one's value is still that of the ones before."""
        name = str(args.metric_for_best_model)
        value = (metrics or {}).get(name if name.startswith("eval_") else f"eval_{name}")
        if value is None:
            return
        gain = float("inf") if state.best_metric is None else value - state.best_metric
        gain = gain if args.greater_is_better or state.best_metric is None else -gain
        better = gain > 0 and gain > self.early_stopping_threshold
        self.early_stopping_patience_counter = 0 if better else self.early_stopping_patience_counter + 1
        if self.early_stopping_patience_counter >= self.early_stopping_patience:
            control.should_training_stop = True
