"""A model's weights to a checkpoint and back into the same object, whatever kind of model it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from modelry import PreTrainedModel
from modelry.atomic import written_aside
from modelry.checkpoint.safetensors_writing import write_safetensors
from modelry_trainer.checkpoints.tree import read_tree, write_tree
from modelry_trainer.distributed.gathering import is_divided, plain_class, whole_model, whole_state
from modelry_trainer.distributed.pieces import alongside, is_piece
from modelry_trainer.distributed.world import Processes, World
from modelry_trainer.errors import CheckpointUnusable

WEIGHTS = "model.safetensors"
_TRAINED = "trained.safetensors"
"""Of models that are saved by a method of their own (adapters): what was trained, by the names it has in memory."""


_LEARNING = "learning"
_PIECES = "weights"
"""What each process has of a divided model; or a whole one, where save_model is a user's and writes something else."""


def save_weights(model: nn.Module, folder: Path, world: World) -> None:
    """For people: what `from_pretrained` reads, or of any module its state, as model.safetensors.

    All processes call it, and the one that leads writes.
    """
    if isinstance(world, Processes) and is_divided(model):
        state = whole_state(model, world, _each_once(model))
        if world.is_first:
            _save(whole_model(model, state) if isinstance(model, PreTrainedModel) else model, folder, state)
    elif world.leads:
        _save(model, folder, None)


def _save(model: nn.Module, folder: Path, state: Mapping[str, torch.Tensor] | None) -> None:
    save: Any = getattr(model, "save_pretrained", None)
    if save is not None:
        given = {} if state is None or isinstance(model, PreTrainedModel) else {"state_dict": state}
        save(folder, **given)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with written_aside(folder / WEIGHTS) as path:
        write_safetensors(path, _each_once(model) if state is None else state)


def save_for_resuming(model: nn.Module, folder: Path, world: World, *, written: bool) -> None:
    """What is needed beside what `save_weights` has written to fill this object again.

    Args:
        written: whether it has, of this model; else all that is needed, each process what it has of it.
    """
    divided = is_divided(model)
    if _comes_back_alone(model) or not hasattr(model, "save_pretrained") or (divided and not written):
        if not written and (divided or world.leads):
            write_tree(folder, _PIECES, _each_once(model), part=(world.rank, world.size) if divided else (0, 1))
        return
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    buffers = {name for name, _ in model.named_buffers()}
    state = {name: value for name, value in _each_once(model).items() if name in trained | buffers}
    if isinstance(world, Processes) and divided:
        state = whole_state(model, world, state)
    if world.leads:
        write_safetensors(folder / _TRAINED, state)


def save_learning_weights(model: nn.Module, folder: Path, world: World) -> None:
    """Where gradients are taken, of optimizers that learn at other weights than are used."""
    write_tree(folder, _LEARNING, _each_once(model), part=(world.rank, world.size))


def load_learning_weights(model: nn.Module, folder: Path) -> None:
    """Fill the model with them, where a checkpoint has them."""
    if (folder / f"{_LEARNING}.json").is_file():
        _fill(model, _pieces(model, folder, _LEARNING))


def load_weights(model: nn.Module, folder: Path) -> None:
    """Fill the model with the weights of a checkpoint, in place; each process what it has of it.

    Raises:
        CheckpointUnusable: they are those of another model.
    """
    try:
        with torch.no_grad():
            _load(model, folder)
    except (RuntimeError, ValueError, OSError) as error:
        words = " ".join(str(error).split())
        said = words if len(words) < 300 else f"{words[:300]} …"  # torch names every tensor
        raise CheckpointUnusable(f"{folder} holds no weights for this {type(model).__name__}: {said}") from error


def _load(model: nn.Module, folder: Path) -> None:
    if (folder / f"{_PIECES}.json").is_file():
        _fill(model, _pieces(model, folder, _PIECES), whole=True)
        return
    if _comes_back_alone(model):
        assert isinstance(model, PreTrainedModel)
        made_of: Any = plain_class(model) if is_divided(model) else type(model)
        stored = made_of.from_pretrained(folder, dtype="auto")
        if is_divided(model):
            _fill(model, stored.state_dict(), whole=True)
        else:
            model.load_state_dict(stored.state_dict())
        return
    partial = (folder / _TRAINED).is_file()
    _fill(model, load_file(folder / (_TRAINED if partial else WEIGHTS)), whole=not partial)


def _pieces(model: nn.Module, folder: Path, name: str) -> dict[str, torch.Tensor]:
    state = model.state_dict()
    stored: dict[str, torch.Tensor] = read_tree(
        folder, name, like=lambda path: state.get(path.removeprefix(f"{name}."))
    )
    return stored


def _fill(model: nn.Module, stored: Mapping[str, torch.Tensor], *, whole: bool = False) -> None:
    """Copy values into a model, whole ones or in its own division.

    Args:
        whole: whether everything must be there, and not only what is trained.

    Raises:
        ValueError: something is missing, of another shape, or for another model.
    """
    state = model.state_dict()
    needed = {name for name, one in model.named_parameters() if one.requires_grad or whole}
    missing, unexpected = sorted(needed - set(stored)), sorted(set(stored) - set(state))
    if missing or unexpected:
        raise ValueError(f"missing {missing[:3]}, unexpected {unexpected[:3]}")
    with torch.no_grad():
        for name, value in stored.items():
            target: Any = state[name]
            if target.shape != value.shape:
                raise ValueError(f"{name} is {tuple(value.shape)} there and {tuple(target.shape)} here")
            if is_piece(target) and not is_piece(value):
                for here, there in alongside(target, value):
                    here.copy_(there)
            else:
                target.copy_(value)


def _comes_back_alone(model: nn.Module) -> bool:
    """Whether `from_pretrained` of the same class gives the very tensors that `save_pretrained` wrote."""
    return isinstance(model, PreTrainedModel) and model.hf_quantizer is None


def _each_once(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state without second names of tied parameters, which loading ties again."""
    seen: set[int] = set()
    state: dict[str, torch.Tensor] = {}
    parameters = {name: id(parameter) for name, parameter in model.named_parameters(remove_duplicate=False)}
    for name, value in model.state_dict().items():
        key = parameters.get(name, id(value))
        if key not in seen:
            seen.add(key)
            state[name] = value
    return state
