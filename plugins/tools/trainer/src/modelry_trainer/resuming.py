"""What a checkpoint has of a training, and how a training goes on from it as if it had never stopped."""

import dataclasses
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelry.errors import ModelryWarning
from modelry_trainer import precision
from modelry_trainer.checkpoints.folders import COMPLETE, newest_whole
from modelry_trainer.checkpoints.randomness import random_states, set_random_states
from modelry_trainer.checkpoints.tree import read_tree, write_tree
from modelry_trainer.checkpoints.weights import (
    load_learning_weights,
    load_weights,
    save_for_resuming,
    save_learning_weights,
)
from modelry_trainer.distributed.gathering import is_divided
from modelry_trainer.errors import CheckpointUnusable
from modelry_trainer.evaluation import at_rest
from modelry_trainer.feeding import is_map_style
from modelry_trainer.state import Place, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer

STATE = "trainer_state.json"
_ARGUMENTS = "training_args.json"
_ROWS, _LENGTH, _MOVED = "rows_of_batch", "rows_of_data", "parameters"


def write_training(trainer: "Trainer", place: Place, folder: Path) -> None:
    """Fill a folder with the model and, unless save_only_model, all that the next step depends on.

    All processes call it: the one that leads writes, and each what it alone has.
    """
    world = trainer.world
    trainer.state.stateful_callbacks = trainer.callback_handler.states()
    with at_rest(trainer.optimizer) as rests:
        _save_model(trainer, folder)
    if not trainer.args.save_only_model:
        divided = is_divided(trainer.model)
        part = (world.rank, world.size)
        if rests and (divided or world.leads):
            save_learning_weights(trainer.model, folder, world)
        if divided or world.leads:
            write_tree(folder, "optimizer", trainer.optimizer.state_dict(), part=part if divided else (0, 1))
        if world.rank % world.sizes.tensor == 0 and world.data_rank:
            drawn = {"now": random_states(), "epoch_started": place.epoch_started}
            write_tree(folder, f"random-{world.data_rank:05d}", drawn)
        if world.leads:
            write_tree(folder, "scheduler", trainer.lr_scheduler.state_dict())
            write_tree(folder, "scaler", None if trainer.scaler is None else trainer.scaler.state_dict())
            write_tree(folder, "random", random_states())
            kept = {one.name: getattr(place, one.name) for one in dataclasses.fields(place)}
            kept |= {_ROWS: rows_of_batch(trainer), _LENGTH: _length(trainer), _MOVED: _moved(trainer)}
            write_tree(folder, "place", kept)
    if world.leads:
        (folder / STATE).write_text(json.dumps(trainer.state.to_dict(), indent=2), encoding="utf-8")
        (folder / _ARGUMENTS).write_text(trainer.args.to_json_string(), encoding="utf-8")


def _save_model(trainer: "Trainer", folder: Path) -> None:
    """As save_model does, which may be a user's; and what that leaves out and filling this model again needs."""
    args, sharding = trainer.args, trainer.args.sharding
    in_pieces = sharding is None or sharding.state_dict_type == "SHARDED_STATE_DICT"
    pieces = in_pieces and not args.save_only_model and is_divided(trainer.model)
    trainer.saved, trainer.pieces_in = None, folder if pieces else None
    try:
        trainer.save_model(str(folder), _internal_call=True)
    finally:
        trainer.pieces_in = None
    written = not pieces and trainer.saved == (trainer.model, folder)
    if written or not args.save_only_model or args.load_best_model_at_end:
        save_for_resuming(trainer.model, folder, trainer.world, written=written)


def rows_of_batch(trainer: "Trainer") -> int:
    """Rows that all processes together read at a time."""
    rows: int = trainer.args.per_device_train_batch_size * trainer.world.data_size
    return rows


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


def _length(trainer: "Trainer") -> int | None:
    """Rows to learn from; None of a stream."""
    data = trainer.train_dataset
    return len(data) if is_map_style(data) else None


def read_training(trainer: "Trainer", folder: Path) -> Place:
    """Fill the model, optimizer, schedule, scaler, generators of random numbers and callbacks; return the place.

    Raises:
        CheckpointUnusable: it belongs to another training, or holds the model only.
    """
    if not (folder / "place.json").is_file():
        raise CheckpointUnusable(
            f"{folder} holds the model only (save_only_model): load it with from_pretrained and begin a new training"
        )
    kept = read_tree(folder, "place")
    rows = kept.pop(_ROWS, trainer.args.per_device_train_batch_size)
    before, now = kept.pop(_LENGTH, None), _length(trainer)
    _refuse_another(trainer, folder, rows, length=before)
    _tell_what_stays(trainer, folder)
    _refuse_other_groups(kept.pop(_MOVED), _moved(trainer), folder)
    if before is not None and before != now:
        warnings.warn(
            f"{folder} was written in a training on {before} rows, and train_dataset has {now or 'no known number'}: "
            "the training goes on, with rows in another order than without an interruption",
            ModelryWarning,
            stacklevel=4,
        )
    load_weights(trainer.model, folder)
    load_learning_weights(trainer.model, folder)
    try:
        trainer.optimizer.load_state_dict(read_tree(folder, "optimizer", like=_divisions(trainer.optimizer)))
    except (ValueError, KeyError) as error:
        raise CheckpointUnusable(f"{folder} has the state of another optimizer or model: {error}") from error
    trainer.lr_scheduler.load_state_dict(read_tree(folder, "scheduler"))
    scaler = read_tree(folder, "scaler")
    if trainer.scaler is not None and scaler is not None:
        trainer.scaler.load_state_dict(scaler)
    state = TrainerState.from_dict(json.loads((folder / STATE).read_text(encoding="utf-8")))
    lengths = ("max_steps", "num_train_epochs", "logging_steps", "eval_steps", "save_steps", "train_batch_size")
    for name in (*lengths, "is_world_process_zero", "is_local_process_zero"):  # of what it goes on with
        setattr(state, name, getattr(trainer.state, name))
    trainer.state = state
    trainer.callback_handler.restore(
        state.stateful_callbacks, arguments_too=trainer.args.restore_callback_states_from_checkpoint
    )
    place = Place(**{name: value for name, value in kept.items() if name in Place.__dataclass_fields__})
    place.batch = -(-place.batch * rows // rows_of_batch(trainer))  # steps are whole but for the last of an epoch
    if now is not None:
        place.batch = min(place.batch, -(-now // rows_of_batch(trainer)))
    if trainer.args.ignore_data_skip:
        place.batch, place.epoch_started = 0, None
    _draw_on(trainer, folder, place)
    return place


def _draw_on(trainer: "Trainer", folder: Path, place: Place) -> None:
    """Go on drawing random numbers where this process stood; one that was not there begins anew."""
    number = trainer.world.data_rank
    if number == 0:
        set_random_states(read_tree(folder, "random"))
    elif (folder / f"random-{number:05d}.json").is_file():
        drawn = read_tree(folder, f"random-{number:05d}")
        place.epoch_started = drawn["epoch_started"] if place.epoch_started is not None else None
        set_random_states(drawn["now"])
    else:
        precision.seed_everything(trainer.args, shift=number + trainer.state.global_step * trainer.world.size)


def _divisions(optimizer: Any) -> Callable[[str], Any]:
    """Of a path in the optimizer's state, the parameter that it is about."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def like(path: str) -> Any:
        number = path.removeprefix("optimizer.state.").split(".")[0]
        return parameters[int(number)] if number.isdecimal() and int(number) < len(parameters) else None

    return like


def _moved(trainer: "Trainer") -> list[list[list[Any]]]:
    """Of each group of the optimizer the names and shapes of what it moves: its state goes by their places."""
    names = {id(parameter): name for name, parameter in trainer.model.named_parameters()}
    return [
        [[names.get(id(one), "(not of the model)"), list(one.shape)] for one in group["params"]]
        for group in trainer.optimizer.param_groups
    ]


def _refuse_other_groups(before: list[list[list[Any]]], now: list[list[list[Any]]], folder: Path) -> None:
    """What the optimizer remembers of one parameter is not another's.

    Raises:
        CheckpointUnusable: names the first one that has another place, or shape.
    """
    places, others = (
        {name: (number, place, tuple(shape)) for number, group in enumerate(groups) for place, (name, shape) in group}
        for groups in ([list(enumerate(group)) for group in groups] for groups in (before, now))
    )
    if before == now:
        return
    said = f"it moved {len(places)} parameters in {len(before)} groups, and moves {len(others)} in {len(now)}"
    for name in (*places, *others):
        was, is_ = places.get(name), others.get(name)
        if was != is_:
            said += f"; {name} {_where(was, 'was')} and {_where(is_, 'is')}"
            break
    raise CheckpointUnusable(
        f"{folder} has the state of an optimizer of other parameters: {said}. Freeze and group them as before, or load "
        "the model from it with from_pretrained and begin a new training"
    )


def _where(place: tuple[int, int, tuple[int, ...]] | None, verb: str) -> str:
    if place is None:
        return f"{verb} in none"
    group, number, shape = place
    return f"{verb} number {number} of group {group}, of shape {shape}"


_REMEMBERED = ("learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "optim_args")


def _tell_what_stays(trainer: "Trainer", folder: Path) -> None:
    """Warn of what is said of an optimizer and has no effect: its state brings its own."""
    before, now = json.loads((folder / _ARGUMENTS).read_text(encoding="utf-8")), trainer.args.to_dict()
    changed = [
        f"{name} {before.get(name)!r} (now {now[name]!r})" for name in _REMEMBERED if before.get(name) != now[name]
    ]
    if changed:
        warnings.warn(
            f"the optimizer goes on as {folder} has it, with {', '.join(changed)}: for others begin a new training",
            ModelryWarning,
            stacklevel=5,
        )


_SAME = ("seed", "data_seed", "train_sampling_strategy", "optim")


def _refuse_another(trainer: "Trainer", folder: Path, rows: int, *, length: int | None) -> None:
    """What decides which rows a step reads, and what the optimizer's state means, cannot change on the way.

    Args:
        rows: that were read at a time.
        length: of the data set then; None of a stream.

    Raises:
        CheckpointUnusable: names what has changed.
    """
    before = json.loads((folder / _ARGUMENTS).read_text(encoding="utf-8"))
    args = trainer.args
    now = args.to_dict()
    changed = [
        f"{name} was {before.get(name)!r} and is {now[name]!r}" for name in _SAME if before.get(name) != now[name]
    ]
    step, here = rows * before["gradient_accumulation_steps"], rows_of_batch(trainer) * args.gradient_accumulation_steps
    if step != here:
        was = max(rows // before["per_device_train_batch_size"], 1)
        changed.append(
            f"per_device_train_batch_size was {before['per_device_train_batch_size']} (x "
            f"{before['gradient_accumulation_steps']} gradient_accumulation_steps x {was} processes) and is "
            f"{args.per_device_train_batch_size} (x {args.gradient_accumulation_steps} x {trainer.world.data_size}): "
            f"a step had {step} rows and has {here}"
        )
    elif (goes := _goes_by(args, rows, rows_of_batch(trainer), length)) is not None:
        changed.append(f"{rows} rows were read at a time and are {rows_of_batch(trainer)}, and {goes} goes by that")
    if changed:
        said = ", ".join(changed)
        raise CheckpointUnusable(f"{folder} belongs to another training: {said}. Use the same, or begin a new one")


def _goes_by(args: Any, before: int, now: int, length: int | None) -> str | None:
    """What reads other rows where another number is read at a time."""
    if args.train_sampling_strategy == "group_by_length" and before != now:
        return "group_by_length"
    left_out = [None if length is None else length % rows for rows in (before, now)]
    if args.dataloader_drop_last and before != now and (length is None or left_out[0] != left_out[1]):
        return "dataloader_drop_last"
    return None
