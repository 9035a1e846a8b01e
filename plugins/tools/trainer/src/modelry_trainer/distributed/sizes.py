"""Over how many processes the data and each tensor are divided: `parallelism_config`. No torch.

R processes with copies   S processes that share one copy   T processes that share each layer's work
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from modelry_trainer.errors import ArgumentsError

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments

_NAMES = ("dp_replicate_size", "dp_shard_size", "tp_size")
_OTHERS = ("cp_size", "sp_size")


class Sizes(NamedTuple):
    """R, S and T; R S T is the number of all processes. Those of one T see the same rows."""

    replicate: int
    shard: int
    tensor: int

    @property
    def data(self) -> int:
        """Processes, or groups of T of them, that see different rows."""
        return self.replicate * self.shard


def checked_config(config: Any) -> dict[str, int] | None:
    """`parallelism_config`, a mapping or the ecosystem's object of that name, as a mapping of what is set in it.

    Raises:
        ValueError: an unknown name, an impossible size, or a way of dividing that is not built.
    """
    if config is None:
        return None
    if isinstance(config, Mapping):
        given = dict(config)
    else:
        given = {name: getattr(config, name, None) for name in (*_NAMES, *_OTHERS)}
    for name in _OTHERS:
        if given.pop(name, None) not in (None, 1):
            raise ValueError(f"parallelism_config has {name}: sequences are not divided over processes; leave it out")
    unknown = sorted(set(given) - set(_NAMES))
    if unknown:
        raise ValueError(f"parallelism_config has {', '.join(unknown)}: it knows {', '.join(_NAMES)}")
    for name, value in given.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise ValueError(f"parallelism_config has {name} {value!r}: write a number of processes")
    return {name: value for name, value in given.items() if value is not None}


def sizes_of(args: "TrainingArguments", world_size: int) -> Sizes:
    """R, S and T for so many processes. What parallelism_config leaves open takes the processes that are left.

    Raises:
        ArgumentsError: they do not multiply to the number of processes, or contradict `fsdp`.
    """
    config = args.parallelism_config or {}
    sharded = bool(args.fsdp)
    tensor = config.get("tp_size", 1)
    if "dp_shard_size" in config and config["dp_shard_size"] > 1 and not sharded:
        raise ArgumentsError(
            f"parallelism_config has dp_shard_size {config['dp_shard_size']} and fsdp is off: set fsdp=True"
        )
    left = world_size // tensor
    if sharded:
        replicate = config.get("dp_replicate_size", 1)
        shard = config.get("dp_shard_size", max(left // replicate, 1))
    else:
        shard = 1
        replicate = config.get("dp_replicate_size", max(left, 1))
    found = Sizes(replicate, shard, tensor)
    if replicate * shard * tensor != world_size:
        raise ArgumentsError(
            f"dp_replicate_size {replicate} x dp_shard_size {shard} x tp_size {tensor} is {replicate * shard * tensor} "
            f"and there are {world_size} processes: change parallelism_config or torchrun's --nproc-per-node"
        )
    return found
