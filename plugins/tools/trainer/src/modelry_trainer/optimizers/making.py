"""From the name of an optimizer to the object that moves the weights."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from torch.optim import Optimizer

from modelry_registry import get_registry, resolve
from modelry_trainer.optimizers.groups import MATRIX
from modelry_trainer.parameters import accepted, check_parameters, made

_OURS = frozenset({"learning_rate"})


def make_optimizer(
    name: str,
    groups: Sequence[Mapping[str, Any]],
    *,
    learning_rate: float,
    parameters: Mapping[str, object] | None = None,
) -> Optimizer:
    """The optimizer of a name.

    Args:
        name: "adamw_torch_fused", "lion", ...; all: `get_registry().names("optimizers")`.
        groups: of `parameter_groups`, or as torch takes them.
        learning_rate: of all groups that have none of their own.
        parameters: what this optimizer takes besides (`optim_args`); see `adam_parameters`.

    Raises:
        UnknownName, MissingPlugin, ...: nobody provides the name (see `modelry_registry.Registry.get`).
        ParameterError: the optimizer has no such parameter, needs another, or a value is impossible.
    """
    spec = get_registry().get("optimizers", name)
    make, given = _maker(name), dict(parameters or {})
    check_optimizer_parameters(name, given)
    kept = [{key: value for key, value in group.items() if spec.matrices or key != MATRIX} for group in groups]
    return made(f"optimizer {name!r}", partial(make, kept, learning_rate=learning_rate), given)


def check_optimizer_parameters(name: str, given: Mapping[str, object]) -> None:
    """Refuse what `make_optimizer` would refuse of its parameters, without making anything.

    Raises:
        UnknownName, MissingPlugin, ...: nobody provides the name.
        ParameterError: the optimizer has no such parameter, needs another, or a value is of another kind.
    """
    check_parameters(f"optimizer {name!r}", _maker(name), given, ours=_OURS)


def adam_parameters(name: str, *, betas: tuple[float, float], eps: float) -> dict[str, object]:
    """Of the settings for Adam, those that an optimizer has: both for what goes by two averages as Adam does.

    An optimizer without betas gets no eps either: its own then means something else.
    """
    known = accepted(_maker(name), ours=_OURS)
    said: dict[str, object] = {"betas": betas, "eps": eps}
    return {key: value for key, value in said.items() if "betas" in known and key in known}


def takes(name: str, parameter: str) -> bool:
    """Whether an optimizer has a parameter of that name."""
    return parameter in accepted(_maker(name), ours=_OURS)


def _maker(name: str) -> Callable[..., Optimizer]:
    return cast("Callable[..., Optimizer]", resolve(get_registry().get("optimizers", name).make))
