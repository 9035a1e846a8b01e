"""Copies from the host's memory to a device that run beside what the device computes."""

from typing import final

import torch
from torch import Tensor

_streams: dict[torch.device, torch.cuda.Stream] = {}
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
        self._done: torch.cuda.Event | None = None
        if device.type != "cuda":
            for copy, source in zip(self._copies, sources, strict=True):
                copy.copy_(source)
            return
        side = _streams.get(device)
        if side is None:
            side = _streams[device] = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]  # torch's is not annotated
        side.wait_stream(torch.cuda.current_stream(device))  # the copies' memory may still be read there
        with torch.cuda.stream(side):
            for copy, source in zip(self._copies, sources, strict=True):
                copy.copy_(source, non_blocking=True)
                copy.record_stream(side)
            self._done = side.record_event()

    def copies(self) -> tuple[Tensor, ...]:
        """The tensors on the device; what is computed there next waits for them."""
        if self._done is not None:
            torch.cuda.current_stream(self.device).wait_event(self._done)
        return self._copies

    def are_of(self, sources: tuple[Tensor | None, ...]) -> bool:
        """Whether these very tensors were copied."""
        return all(copied is source for copied, source in zip(self.sources, sources, strict=True))
