"""A model's weights to a checkpoint and back into the same object, whatever kind of model it is."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from modelry import PreTrainedModel
from modelry.atomic import written_aside
from modelry.checkpoint.safetensors_writing import write_safetensors
from modelry_trainer.errors import CheckpointUnusable

WEIGHTS = "model.safetensors"
_TRAINED = "trained.safetensors"
"""Of models that are saved by a method of their own (adapters): what was trained, by the names it has in memory."""


_LEARNING = "learning.safetensors"


def save_weights(model: nn.Module, folder: Path) -> None:
    """For people: what `from_pretrained` reads, or of any module its state, as model.safetensors."""
    save: Any = getattr(model, "save_pretrained", None)
    if save is not None:
        save(folder)
        return
    folder.mkdir(parents=True, exist_ok=True)
    with written_aside(folder / WEIGHTS) as path:
        write_safetensors(path, _each_once(model))


def save_for_resuming(model: nn.Module, folder: Path) -> None:
    """The same, and what is needed besides to fill this object again."""
    save_weights(model, folder)
    if not _comes_back_alone(model) and hasattr(model, "save_pretrained"):
        trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
        buffers = {name for name, _ in model.named_buffers()}
        state = {name: value for name, value in _each_once(model).items() if name in trained | buffers}
        write_safetensors(folder / _TRAINED, state)


def save_learning_weights(model: nn.Module, folder: Path) -> None:
    """Where gradients are taken, of optimizers that learn at other weights than are used."""
    write_safetensors(folder / _LEARNING, _each_once(model))


def load_learning_weights(model: nn.Module, folder: Path) -> None:
    """Fill the model with them, where a checkpoint has them."""
    if (folder / _LEARNING).is_file():
        with torch.no_grad():
            model.load_state_dict(load_file(folder / _LEARNING), strict=False)


def load_weights(model: nn.Module, folder: Path) -> None:
    """Fill the model with the weights of a checkpoint, in place.

    Raises:
        CheckpointUnusable: they are those of another model.
    """
    try:
        with torch.no_grad():
            _load(model, folder)
    except (RuntimeError, ValueError, OSError) as error:
        raise CheckpointUnusable(f"{folder} holds no weights for this {type(model).__name__}: {error}") from error


def _load(model: nn.Module, folder: Path) -> None:
    if _comes_back_alone(model):
        assert isinstance(model, PreTrainedModel)
        stored = type(model).from_pretrained(folder, dtype="auto")
        model.load_state_dict(stored.state_dict())
        return
    partial = (folder / _TRAINED).is_file()
    missing, unexpected = model.load_state_dict(load_file(folder / (_TRAINED if partial else WEIGHTS)), strict=False)
    expected = {name for name, parameter in model.named_parameters() if parameter.requires_grad or not partial}
    if unexpected or expected & set(missing):
        raise ValueError(f"missing {sorted(expected & set(missing))[:3]}, unexpected {list(unexpected)[:3]}")


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
