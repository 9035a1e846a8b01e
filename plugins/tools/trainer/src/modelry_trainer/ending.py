"""What a training does after its last step: figures, the best weights, and listeners told."""

from pathlib import Path
from typing import TYPE_CHECKING

from modelry_trainer.checkpoints.weights import load_weights
from modelry_trainer.results import TrainOutput
from modelry_trainer.state import Place

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer


def finished(trainer: "Trainer", place: Place, first: int, seconds: float) -> TrainOutput:
    """End a training.

    Args:
        first: the step after which it began.
        seconds: that it took.
    """
    args, steps = trainer.args, trainer.state.global_step - first
    rows = steps * args.per_device_train_batch_size * args.gradient_accumulation_steps * trainer.world.data_size
    mean = place.loss_total / max(place.steps_total, 1)
    metrics = {
        "train_runtime": round(seconds, 4),
        "train_samples_per_second": round(rows / max(seconds, 1e-9), 3),
        "train_steps_per_second": round(steps / max(seconds, 1e-9), 3),
        "train_loss": mean,
    }
    logged = {**metrics, "total_flos": trainer.state.total_flos}
    trainer.log(logged)
    metrics["epoch"] = logged["epoch"]
    if callable(getattr(trainer.optimizer, "eval", None)):
        trainer.optimizer.eval()  # what is left in the model are the weights to be used
    best = trainer.state.best_model_checkpoint
    if args.load_best_model_at_end and best is not None:
        load_weights(trainer.model, Path(best))
    trainer.tell("on_train_end")
    return TrainOutput(trainer.state.global_step, mean, metrics)
