"""What a training does before its first step, whatever its model and data."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from modelry_trainer.checkpoints.folders import clear_strays
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.resuming import chosen_checkpoint

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


def begin_in(output: Path, asked: str | Path | bool | None) -> str | None:
    """Clear a folder of what a killed training left, and choose the checkpoint to go on from.

    Raises:
        CheckpointUnusable: one is asked for, and there is none.
    """
    clear_strays(output)
    source = chosen_checkpoint(asked, output)
    return None if source is None else str(source)


def switch_on(model: nn.Module, args: "TrainingArguments") -> None:
    """Recomputed activations and compilation, where they are asked for.

    Raises:
        ArgumentsError: the model cannot recompute.
    """
    sharding = args.sharding
    if args.checkpoints_activations or (sharding is not None and sharding.activation_checkpointing):
        enable: Any = getattr(model, "gradient_checkpointing_enable", None)
        if enable is None:
            raise ArgumentsError(f"{type(model).__name__} has no gradient_checkpointing_enable: leave it out")
        enable(gradient_checkpointing_kwargs=args.checkpointing_options)
    if args.torch_compile:
        model.compile(backend=args.torch_compile_backend or "inductor", mode=args.torch_compile_mode)
