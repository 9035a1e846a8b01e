"""What a model's own forward is made of beside its tensors, told so that it can be compared with what it was before."""

from collections import OrderedDict
from collections.abc import Mapping
from types import FunctionType
from typing import Any
from weakref import ref

from torch import nn

from modelry.configuration import ModelConfig

_PLAIN = frozenset((bool, float, str, type(None)))
_NOT_SETTINGS = {"_modules", "_parameters", "_buffers", "joint"}


def written(model: nn.Module, *, leaves: bool = True) -> tuple[object, ...]:
    """The forward and the settings of each module; equal to what it was as long as nobody has changed one.

    Args:
        leaves: settings of modules without parts, too; most are layers whose settings are their sizes.
    """
    return tuple(
        [
            (_forward(type(module)), settings(vars(module)) if leaves or module._modules else ())
            for module in model.modules()
        ]
    )


def _forward(kind: type[nn.Module]) -> object:
    forward = getattr(kind, "forward", None)  # somebody may have given the class another
    return ref(forward) if type(forward) is FunctionType else id(forward)


def settings(attributes: Mapping[str, Any]) -> tuple[object, ...]:
    """What a module's forward may look at and somebody may change: switches, names, numbers, hooks, a configuration."""
    return tuple([(name, _told(value)) for name, value in attributes.items() if name not in _NOT_SETTINGS])


def _told(value: object) -> object:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict or kind is OrderedDict:  # most are the hooks of a module that has none
        return tuple((name, _told(one)) for name, one in value.items()) if value else ()  # type: ignore[attr-defined]  # kind says so
    if isinstance(value, bool | float | str):
        return value
    if isinstance(value, ModelConfig):
        return settings(vars(value))
    if isinstance(value, Mapping):
        return tuple((name, _told(one)) for name, one in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_told, value))
    return kind if isinstance(value, int) else id(value)  # whole numbers are sizes, or counts that go on
