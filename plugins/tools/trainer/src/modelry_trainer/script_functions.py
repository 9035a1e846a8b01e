"""Functions that scripts of the ecosystem import beside `Trainer`."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from modelry_trainer.checkpoints.folders import checkpoints
from modelry_trainer.schedules import make_schedule


def set_seed(seed: int, deterministic: bool = False) -> None:
    """Seed python, numpy and torch.

    Args:
        deterministic: refuse operations of torch that are not.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    if deterministic:
        torch.use_deterministic_algorithms(True)


def get_last_checkpoint(folder: str | Path) -> str | None:
    """The newest checkpoint-<step> in a folder; None where there is none."""
    found = checkpoints(Path(folder).expanduser())
    return str(found[-1]) if found else None


def get_scheduler(
    name: Any,
    optimizer: Optimizer,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    scheduler_specific_kwargs: Mapping[str, Any] | None = None,
) -> LRScheduler:
    """A learning rate schedule by its name ("linear", "cosine", …), before its first step.

    Args:
        num_training_steps: of the whole training; schedules that end need it.

    Raises:
        UnknownName: nobody provides the name.
        ParameterError: the schedule has no such parameter, or a value is impossible.
    """
    return make_schedule(
        str(getattr(name, "value", name)),
        optimizer,
        warmup_steps=num_warmup_steps or 0,
        total_steps=num_training_steps or 0,
        parameters=scheduler_specific_kwargs,
    )
