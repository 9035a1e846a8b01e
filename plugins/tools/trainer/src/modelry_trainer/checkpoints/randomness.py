"""The states of all generators of random numbers that a training draws from."""

import random
from typing import Any

import numpy as np
import torch
import torch.distributed as dist


def random_states() -> dict[str, Any]:
    """Of python, numpy, torch, and of every GPU; of one of several processes, of its own."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state(number) for number in _gpus()],
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Go on drawing where they stood. GPUs that were not there then keep theirs."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    for number, state in zip(_gpus(), states["cuda"], strict=False):
        torch.cuda.set_rng_state(state, number)


def _gpus() -> list[int]:
    if not torch.cuda.is_available():
        return []
    return [torch.cuda.current_device()] if dist.is_initialized() else list(range(torch.cuda.device_count()))
