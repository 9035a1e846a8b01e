"""Which of how many processes this one is: what torchrun says in the environment. No torch."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from modelry_trainer.errors import ArgumentsError

_NEEDED = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Launched:
    """This process among all of them, and among those of its machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1


def launched(environment: Mapping[str, str] = os.environ) -> Launched | None:
    """What torchrun, or another launcher that sets the same variables, says; None where nobody launched anything.

    Raises:
        ArgumentsError: some of the variables are missing, or a value is impossible.
    """
    if "RANK" not in environment or "WORLD_SIZE" not in environment:
        return None
    missing = [name for name in _NEEDED if name not in environment]
    if missing:
        raise ArgumentsError(
            f"RANK and WORLD_SIZE are set and {', '.join(missing)} not: start all processes with torchrun, or set "
            "what it sets; for a training in one process unset RANK and WORLD_SIZE"
        )
    try:
        rank, size, local_rank = (int(environment[name]) for name in _NEEDED[:3])
        local_size = int(environment.get("LOCAL_WORLD_SIZE", size))
    except ValueError as error:
        raise ArgumentsError(f"RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE are numbers: {error}") from None
    if not 0 <= rank < size or not 0 <= local_rank < local_size <= size:
        raise ArgumentsError(
            f"process {rank} of {size}, on its machine {local_rank} of {local_size}, is impossible: see RANK, "
            "WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE"
        )
    return Launched(rank, size, local_rank, local_size)
