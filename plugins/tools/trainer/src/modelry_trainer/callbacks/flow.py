"""When to log, evaluate and save, and when the training is over: the callback that every training has."""

from typing import TYPE_CHECKING, Any

from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.state import TrainerControl, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


class DefaultFlowCallback(TrainerCallback):
    """Follows the strategies of the arguments."""

    def on_step_end(
        self, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any
    ) -> TrainerControl:
        """Ask for what is due after so many steps; at the last one, stop."""
        step = state.global_step
        due = args.eval_delay <= step
        if step == 1 and args.logging_first_step:
            control.should_log = True
        if args.logging_strategy == "steps" and step % state.logging_steps == 0:
            control.should_log = True
        if args.eval_strategy == "steps" and step % state.eval_steps == 0 and due:
            control.should_evaluate = True
        if args.save_strategy == "steps" and step % state.save_steps == 0:
            control.should_save = True
        if step >= state.max_steps:
            control.should_training_stop = True
            control.should_evaluate = control.should_evaluate or (args.eval_strategy == "steps" and due)
            control.should_save = control.should_save or args.save_strategy == "steps"
        return control

    def on_epoch_end(
        self, args: "TrainingArguments", state: TrainerState, control: TrainerControl, **more: Any
    ) -> TrainerControl:
        """Ask for what is due after each epoch."""
        if args.logging_strategy == "epoch":
            control.should_log = True
        if args.eval_strategy == "epoch" and args.eval_delay <= state.epoch:
            control.should_evaluate = True
        if args.save_strategy == "epoch":
            control.should_save = True
        return control
