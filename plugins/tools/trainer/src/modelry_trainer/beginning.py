"""What a training does before its first step, whatever its model and data."""

from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from modelry_trainer.checkpoints.folders import clear_strays
from modelry_trainer.errors import ArgumentsError, SaveFailed
from modelry_trainer.resuming import chosen_checkpoint

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


def begin_in(output: Path, asked: str | Path | bool | None, *, saves: bool) -> str | None:
    """Clear a folder of what a killed training left, and choose the checkpoint to go on from.

    Args:
        saves: checkpoints will be written there.

    Raises:
        CheckpointUnusable: one is asked for, and there is none.
        SaveFailed: the folder cannot be written, which is better known before the first step than at the first save.
    """
    if saves:
        try:
            output.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=output):
                pass
        except OSError as error:
            raise SaveFailed(
                f"{output} cannot be written ({error}), and checkpoints shall go there: name another folder as "
                "output_dir, or set save_strategy='no'"
            ) from error
    clear_strays(output)
    source = chosen_checkpoint(asked, output)
    return None if source is None else str(source)


def switch_on(model: nn.Module, args: "TrainingArguments") -> None:
    """Recomputed activations and compilation, where they are asked for.

    Raises:
        ArgumentsError: the model cannot recompute, or learn.
    """
    _refuse_what_cannot_learn(model, args)
    sharding = args.sharding
    if args.checkpoints_activations or (sharding is not None and sharding.activation_checkpointing):
        enable: Any = getattr(model, "gradient_checkpointing_enable", None)
        if enable is None:
            raise ArgumentsError(f"{type(model).__name__} has no gradient_checkpointing_enable: leave it out")
        enable(gradient_checkpointing_kwargs=args.checkpointing_options)
    if args.torch_compile:
        model.compile(backend=args.torch_compile_backend or "inductor", mode=args.torch_compile_mode)


def _refuse_what_cannot_learn(model: nn.Module, args: "TrainingArguments") -> None:
    numbers = [one for one in model.parameters() if one.is_floating_point()]
    learning = [one for one in numbers if one.requires_grad]
    if getattr(model, "hf_quantizer", None) is not None and len(learning) == len(numbers):
        raise ArgumentsError(
            f"the layers of {type(model).__name__} are packed (quantization), which do not learn: add an adapter "
            "(peft.get_peft_model), or freeze all parameters but those that shall learn"
        )
    if args.fp16 and any(one.dtype == torch.float16 for one in learning):
        raise ArgumentsError(
            "fp16 is True and the weights that learn are float16: small changes would be lost in them. Load the model "
            "with dtype='float32'; with fp16 its products run in float16"
        )
