"""The optimizer and the schedule that the arguments ask for."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from modelry_trainer.errors import TrainingError
from modelry_trainer.optimizers import adam_parameters, make_optimizer, parameter_groups, takes
from modelry_trainer.schedules import make_schedule

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


def new_optimizer(
    model: nn.Module,
    args: "TrainingArguments",
    *,
    given: tuple[type, dict[str, Any]] | None,
    decayed: Collection[str] | None = None,
) -> Optimizer:
    """An optimizer of all parameters that require gradients.

    Args:
        given: a class and what it is given, in place of the arguments.
        decayed: names of parameters that decay; all but biases and norms when None.

    Raises:
        TrainingError: no parameter requires a gradient.
    """
    groups = parameter_groups(model, weight_decay=args.weight_decay, decayed=decayed)
    if not groups:
        raise TrainingError(f"no parameter of {type(model).__name__} requires a gradient: nothing can be learnt")
    if given is not None:
        made, options = given
        plain = [{key: group[key] for key in ("params", "weight_decay")} for group in groups]
        optimizer: Optimizer = made(plain, **options)
        return optimizer
    adam = adam_parameters(args.optim, betas=(args.adam_beta1, args.adam_beta2), eps=args.adam_epsilon)
    if args.lr_scheduler_type == "constant" and args.warmup_steps >= 1 and takes(args.optim, "warmup_steps"):
        adam["warmup_steps"] = int(args.warmup_steps)  # of an optimizer that warms up itself
    parameters = {**adam, **args.optimizer_parameters}
    return make_optimizer(args.optim, groups, learning_rate=args.learning_rate, parameters=parameters)


def new_schedule(optimizer: Optimizer, args: "TrainingArguments", *, steps: int) -> LRScheduler:
    """The learning rate over so many steps."""
    kwargs = args.lr_scheduler_kwargs
    return make_schedule(
        args.lr_scheduler_type,
        optimizer,
        warmup_steps=args.get_warmup_steps(steps),
        total_steps=steps,
        parameters=kwargs if isinstance(kwargs, dict) else {},
    )
