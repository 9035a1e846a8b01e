"""The optimizer and the schedule that the arguments ask for."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from modelry.errors import OutOfMemory
from modelry_trainer.distributed.pieces import is_piece
from modelry_trainer.errors import ArgumentsError, TrainingError
from modelry_trainer.memory import ran_out
from modelry_trainer.optimizers import (
    adam_parameters,
    check_optimizer_parameters,
    kept_values,
    make_optimizer,
    parameter_groups,
    takes,
    thriftier,
)
from modelry_trainer.schedules import check_schedule_parameters, make_schedule

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments
    from modelry_trainer.trainer import Trainer


def refuse_unknown_parameters(trainer: "Trainer", given: tuple[Any, Any]) -> None:
    """Refuse what optim_args and lr_scheduler_kwargs say and nothing takes, when a trainer is made. Whose optimizer has
    no such words is not imported.

    Args:
        given: an optimizer and a schedule of the user's.

    Raises:
        ParameterError: names it, and what is taken.
    """
    args = trainer.args
    for name in ("create_optimizer", "create_optimizer_and_scheduler"):
        if trainer.makes(name):  # and says what the words mean
            return
    chosen = given[0] is not None or trainer.optimizer_cls_and_kwargs is not None
    if args.optimizer_parameters and not chosen and not hasattr(trainer, "get_optimizer_cls_and_kwargs"):
        check_optimizer_parameters(args.optim, args.optimizer_parameters)
    if args.lr_scheduler_kwargs and given[1] is None and not trainer.makes("create_scheduler"):
        check_schedule_parameters(args.lr_scheduler_type, dict(args.lr_scheduler_kwargs))


def new_optimizer(
    model: nn.Module,
    args: "TrainingArguments",
    *,
    given: tuple[type, dict[str, Any]] | None,
    decayed: Collection[str] | None = None,
    steps: int = 0,
) -> Optimizer:
    """An optimizer of all parameters that require gradients.

    Args:
        given: a class and what it is given, in place of the arguments.
        decayed: names of parameters that decay; all but biases and norms when None.
        steps: of the whole training; 0 where nobody knows.

    Raises:
        ArgumentsError: the optimizer warms up itself, for a part of steps that nobody knows.
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
    if args.lr_scheduler_type == "constant" and args.warmup_steps and takes(args.optim, "warmup_steps"):
        if not steps and args.warmup_steps < 1:
            raise ArgumentsError(
                f"warmup_steps is {args.warmup_steps:g}, a part of all steps, and nobody knows yet how many: call "
                "create_optimizer_and_scheduler(num_training_steps), set max_steps, or write a number of steps"
            )
        adam["warmup_steps"] = args.get_warmup_steps(steps)  # of an optimizer that warms up itself
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


@contextmanager
def moving(trainer: "Trainer") -> Iterator[None]:
    """The block in which weights are moved. Where memory runs out there, states that are there in part are let go, and
    with them an optimizer of the arguments: a later `train` makes a new one, which may be another.

    Raises:
        OutOfMemory: says what the states take, and what takes less.
    """
    try:
        yield
    except Exception as error:
        if not ran_out(error):
            raise
        said = _advice(trainer, error)
        trainer.optimizer.state.clear()
        if trainer.optimizer is trainer.optimizer_made:
            trainer.optimizer = None
        trainer.model.zero_grad()
        raise OutOfMemory(said) from error


def _advice(trainer: "Trainer", error: Exception) -> str:
    args, optimizer = trainer.args, trainer.optimizer
    given = trainer.optimizer_cls_and_kwargs is not None or hasattr(trainer, "get_optimizer_cls_and_kwargs")
    named = optimizer is trainer.optimizer_made and not given
    kept = kept_values(args.optim, args.optimizer_parameters) if named else None
    learning: list[Any] = [one for group in optimizer.param_groups for one in group["params"]]
    own = [one.to_local() if is_piece(one) else one for one in learning]
    numbers = f"each of the {sum(one.numel() for one in own):,} numbers that learn"
    keeps = f"{args.optim if named else type(optimizer).__name__} keeps a state for {numbers}"
    if kept is not None:
        keeps = f"{args.optim} keeps {kept} values for {numbers}, {kept * sum(one.nbytes for one in own) / 1e9:.3f} GB"
    less = thriftier(2 if kept is None else kept)
    others = (
        f"optim={' or '.join(f'{name!r} ({values})' for name, values in less.items())} takes less; " if less else ""
    )
    return (
        f"memory ran out in step {trainer.state.global_step + 1}, in the optimizer, which smaller batches do not help: "
        f"{keeps}. {others}an adapter (LoRA) has fewer numbers that learn, fsdp deals them out to several processes. "
        f"Weights may have been moved in part: load the model again, or resume from the last checkpoint, "
        f"{trainer.newest_checkpoint() or 'of which there is none'} ({' '.join(str(error).split())[:200]})"
    )
