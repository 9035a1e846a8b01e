"""Copies from the host's memory to a device that run beside what the device computes."""

from typing import Any, final

import torch
from torch import Tensor

from modelry.accelerators import streams_of

_streams: dict[torch.device, Any] = {}
"""One stream of copies for each device, kept for as long as the process lives, as CUDA keeps its own."""


@final
class Prefetch:
    """Copies that have been started. On a device without streams they are done when the constructor returns.

    Args:
        sources: tensors in the host's memory; pinned where the copy is to run beside the device's work.
        device: where the copies are to be.
    """

    def __init__(self, sources: tuple[Tensor, ...], device: torch.device) -> None:
        self.sources, self.device = sources, device
        self._copies = tuple(torch.empty_like(source, device=device) for source in sources)
        self._done: Any | None = None
        self._runs = streams_of(device)
        if self._runs is None:
            for copy, source in zip(self._copies, sources, strict=True):
                copy.copy_(source)
            return
        side = _streams.get(device)
        if side is None:
            side = _streams[device] = self._runs.Stream(device)
        side.wait_stream(self._runs.current_stream(device))  # the copies' memory may still be read there
        with self._runs.stream(side):
            for copy, source in zip(self._copies, sources, strict=True):
                copy.copy_(source, non_blocking=True)
                copy.record_stream(side)
            self._done = side.record_event()

    def copies(self) -> tuple[Tensor, ...]:
        """The tensors on the device; what is computed there next waits for them."""
        if self._done is not None and self._runs is not None:
            here = self._runs.current_stream(self.device)
            here.wait_event(self._done)
            for copy in self._copies:  # made by another thread perhaps, in whose stream their memory is free too early
                copy.record_stream(here)
        return self._copies

    def are_of(self, sources: tuple[Tensor | None, ...]) -> bool:
        """Whether these very tensors were copied."""
        return all(copied is source for copied, source in zip(self.sources, sources, strict=True))
