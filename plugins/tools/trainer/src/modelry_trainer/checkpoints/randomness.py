"""The states of all generators of random numbers that a training draws from."""

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from modelry.accelerators import accelerator


def random_states() -> dict[str, Any]:
    """Of python, numpy, torch, and of every accelerator under its kind; of one of several processes, of its own."""
    return {
        "python": random.getstate(),
        "numpy": np.random.get_state(),
        "torch": torch.get_rng_state(),
        **{kind: [module.get_rng_state(*which) for which in numbers] for kind, module, numbers in _accelerators()},
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Go on drawing where they stood. Accelerators that were not there then keep theirs."""
    random.setstate(states["python"])
    np.random.set_state(states["numpy"])
    torch.set_rng_state(states["torch"])
    for kind, module, numbers in _accelerators():
        for which, state in zip(numbers, states.get(kind, ()), strict=False):
            module.set_rng_state(state, *which)


def _accelerators() -> Iterator[tuple[str, Any, list[tuple[int, ...]]]]:
    """The kind that is here, if any: its name, its module, and which of them are this process's."""
    kind = accelerator()
    if kind is None:
        return
    present, count = torch.accelerator.current_device_index(), torch.accelerator.device_count()
    own = [present] if dist.is_initialized() else range(count)
    numbers: list[tuple[int, ...]] = [()] if kind.type == "mps" else [(number,) for number in own]  # Apple's is one
    yield kind.type, torch.get_device_module(kind.type), numbers
