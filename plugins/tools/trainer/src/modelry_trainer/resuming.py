"""What a checkpoint has of a training, and how a training goes on from it as if it had never stopped."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING

from modelry_trainer.checkpoints.folders import COMPLETE, newest_whole
from modelry_trainer.checkpoints.randomness import random_states, set_random_states
from modelry_trainer.checkpoints.tree import read_tree, write_tree
from modelry_trainer.checkpoints.weights import (
    load_learning_weights,
    load_weights,
    save_for_resuming,
    save_learning_weights,
)
from modelry_trainer.errors import CheckpointUnusable
from modelry_trainer.evaluation import at_rest
from modelry_trainer.state import Place, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer

STATE = "trainer_state.json"
_ARGUMENTS = "training_args.json"


def write_training(trainer: "Trainer", place: Place, folder: Path) -> None:
    """Fill a folder with the model and, unless save_only_model, all that the next step depends on."""
    trainer.state.stateful_callbacks = trainer.callback_handler.states()
    with at_rest(trainer.optimizer) as rests:
        save_for_resuming(trainer.model, folder)
        trainer.save_preprocessor(folder)
    if not trainer.args.save_only_model:
        if rests:
            save_learning_weights(trainer.model, folder)
        write_tree(folder, "optimizer", trainer.optimizer.state_dict())
        write_tree(folder, "scheduler", trainer.lr_scheduler.state_dict())
        write_tree(folder, "scaler", None if trainer.scaler is None else trainer.scaler.state_dict())
        write_tree(folder, "random", random_states())
        write_tree(folder, "place", {one.name: getattr(place, one.name) for one in dataclasses.fields(place)})
    (folder / STATE).write_text(json.dumps(trainer.state.to_dict(), indent=2), encoding="utf-8")
    (folder / _ARGUMENTS).write_text(trainer.args.to_json_string(), encoding="utf-8")


def chosen_checkpoint(asked: str | Path | bool | None, output: Path) -> Path | None:
    """The folder to resume from: the newest whole one (True), or the one named, or one before it where that is broken.

    Raises:
        CheckpointUnusable: there is none.
    """
    if not asked:
        return None
    if asked is True:
        return newest_whole(output)
    folder = Path(asked).expanduser().absolute()
    if not folder.is_dir():
        raise CheckpointUnusable(f"resume_from_checkpoint is {str(asked)!r}: there is no such folder")
    if not (folder / COMPLETE).is_file() and (folder / "optimizer.pt").is_file():
        raise CheckpointUnusable(
            f"{folder} was written by another trainer, with pickled states, which are never loaded: load the model "
            "from it with from_pretrained and begin a new training"
        )
    return newest_whole(folder.parent, before=folder)


def read_training(trainer: "Trainer", folder: Path) -> Place:
    """Fill the model, optimizer, schedule, scaler, generators of random numbers and callbacks; return the place.

    Raises:
        CheckpointUnusable: it belongs to another training, or holds the model only.
    """
    if not (folder / "place.json").is_file():
        raise CheckpointUnusable(
            f"{folder} holds the model only (save_only_model): load it with from_pretrained and begin a new training"
        )
    _refuse_another(trainer, folder)
    load_weights(trainer.model, folder)
    load_learning_weights(trainer.model, folder)
    try:
        trainer.optimizer.load_state_dict(read_tree(folder, "optimizer"))
    except (ValueError, KeyError) as error:
        raise CheckpointUnusable(f"{folder} has the state of another optimizer or model: {error}") from error
    trainer.lr_scheduler.load_state_dict(read_tree(folder, "scheduler"))
    scaler = read_tree(folder, "scaler")
    if trainer.scaler is not None and scaler is not None:
        trainer.scaler.load_state_dict(scaler)
    state = TrainerState.from_dict(json.loads((folder / STATE).read_text(encoding="utf-8")))
    lengths = ("max_steps", "num_train_epochs", "logging_steps", "eval_steps", "save_steps", "train_batch_size")
    for name in lengths:  # of the arguments that it goes on with
        setattr(state, name, getattr(trainer.state, name))
    trainer.state = state
    trainer.callback_handler.restore(
        state.stateful_callbacks, arguments_too=trainer.args.restore_callback_states_from_checkpoint
    )
    place = Place(**read_tree(folder, "place"))
    if trainer.args.ignore_data_skip:
        place.batch, place.epoch_started = 0, None
    set_random_states(read_tree(folder, "random"))
    return place


_SAME = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "seed",
    "data_seed",
    "train_sampling_strategy",
    "optim",
)


def _refuse_another(trainer: "Trainer", folder: Path) -> None:
    """What decides which rows a step reads, and what the optimizer's state means, cannot change on the way.

    Raises:
        CheckpointUnusable: names what has changed.
    """
    before = json.loads((folder / _ARGUMENTS).read_text(encoding="utf-8"))
    now = trainer.args.to_dict()
    changed = [name for name in _SAME if before.get(name) != now[name]]
    if changed:
        said = ", ".join(f"{name} was {before.get(name)!r} and is {now[name]!r}" for name in changed)
        raise CheckpointUnusable(f"{folder} belongs to another training: {said}. Use the same, or begin a new one")
