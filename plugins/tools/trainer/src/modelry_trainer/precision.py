"""In which numbers a training computes: autocast, the scaling that float16 needs, TF32 and determinism."""

import os
import random
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from modelry.accelerators import CPU, best_device

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments


def training_device(args: "TrainingArguments", *, several: bool = False) -> torch.device:
    """The accelerator of this machine, unless there is none or use_cpu refuses it.

    Args:
        several: whether processes train together, which Apple's GPU is not for: there is one, and no way between them.
    """
    found = CPU if args.use_cpu else best_device()
    return CPU if several and found.type == "mps" else found


def autocast(args: "TrainingArguments", device: torch.device) -> AbstractContextManager[Any]:
    """The block in which the loss is computed. Weights stay as they are; products run in 16 bits where asked for."""
    if not (args.bf16 or args.fp16) or args.sharding is not None:  # sharded weights are gathered in 16 bits
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16 if args.bf16 else torch.float16)


def gradient_scaler(args: "TrainingArguments", device: torch.device) -> torch.amp.GradScaler | None:
    """Keeps small gradients of float16 from becoming 0; None where nothing is scaled."""
    return torch.amp.GradScaler(device.type) if args.fp16 else None


def seed_everything(args: "TrainingArguments", *, shift: int = 0) -> None:
    """Seed python, numpy and torch; with full_determinism, refuse what is not deterministic.

    Args:
        shift: of the seed, in a process that shall draw other numbers than the first one.
    """
    seed = args.seed + shift * 1_000_003
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    if args.full_determinism:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":16:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
    if args.tf32 is not None:
        torch.backends.cuda.matmul.allow_tf32 = args.tf32
        torch.backends.cudnn.allow_tf32 = args.tf32
