"""Processes that share the parameters of one model run as many passes as the one whose text is longest.

Each pass of such a model gathers parameters from all processes (FSDP, https://arxiv.org/abs/2304.11277), so one that
has finished its texts before the others goes on with passes whose results nobody reads.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def shares_parameters(model: Any) -> bool:
    """Whether the parameters of a model are spread over processes by FSDP."""
    if not (dist.is_available() and dist.is_initialized()):
        return False
    from torch.distributed.fsdp import FSDPModule  # half a second, for those who have processes

    return isinstance(model, FSDPModule)


@contextlib.contextmanager
def kept_in_step(model: Any, asked: bool | None) -> Iterator[None]:
    """Until the last process is through, take part in its passes.

    Args:
        asked: by the caller, for parameters that others have spread; None: where FSDP has.
    """
    needed = shares_parameters(model) if asked is None else asked and dist.is_initialized()
    if not needed or dist.get_world_size() == 1:
        yield
        return
    last: dict[str, Any] = {}

    def announced(module: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        _somebody_goes_on(model, True)
        last.update(options)

    handle = model.register_forward_pre_hook(announced, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
    idle = _without_memory(last)
    while _somebody_goes_on(model, False):
        model(**idle)


def _somebody_goes_on(model: Any, mine: bool) -> bool:
    count = torch.tensor([int(mine)], device=model.device)
    dist.all_reduce(count)
    return bool(count.item())


def _without_memory(options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a pass without its cache, which stays as it is."""
    ids, mask = options.get("input_ids"), options.get("attention_mask")
    kept = {**options, "past_key_values": None, "use_cache": False}
    if isinstance(ids, Tensor) and isinstance(mask, Tensor) and mask.shape != ids.shape:
        kept["attention_mask"] = None
    return kept
