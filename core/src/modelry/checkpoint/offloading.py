"""Running a model some of whose parts stay on disk: each is read when its turn comes, the next one beside it.

Tensors on disk are mapped, so between passes they are there like any others and take no memory. Before a part runs, a
thread has brought its pages into memory (and copied them to the GPU that computes); after it has run they are given
back. At most two parts are in memory at a time. Values on disk cannot be trained, and are not to be changed in place:
changes would be lost.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, final

import torch
from torch import Tensor, nn

from modelry.cache.prefetching import Prefetch
from modelry.checkpoint.filling import DISK
from modelry.checkpoint.parts import blocks
from modelry.checkpoint.placement import Placement
from modelry.checkpoint.regions import Region
from modelry.errors import PlacementError

_CPU = torch.device("cpu")


@final
class Offloaded:
    """The parts of one model that stay on disk, and the order in which they are used.

    Args:
        model: whose modules get hooks.
        placement: where its parts are.
        regions: address of a mapped tensor to where it lies in its file.
    """

    def __init__(self, model: nn.Module, placement: Placement, regions: Mapping[int, Region]) -> None:
        self.device = placement.main
        self.paths = [path for path, loose in blocks(model) if not loose and _has_any(model, path, placement)]
        self._regions = regions
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="modelry-disk")
        self._lock = Lock()
        self._current: _DiskPart | None = None
        self._expected: _DiskPart | None = None
        parts = [_DiskPart(model.get_submodule(path), self.device, regions) for path in self.paths]
        self._following = dict(zip(parts, [*parts[1:], *parts[:1]], strict=True))
        for part in parts:
            part.module.register_forward_pre_hook(_Before(self, part))
            part.module.register_forward_hook(_After(part), always_call=True)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse copies and pickles of the model: the hooks of a copy would read into the original's modules.

        Raises:
            PlacementError: always.
        """
        raise PlacementError(
            "parts of this model stay on disk, and such a model is neither copied nor pickled: load it once more, or "
            "save it with save_pretrained"
        )

    def release(self, tensor: Tensor) -> None:
        """Give back the memory of a tensor that was read outside of a pass."""
        region = self._regions.get(tensor.data_ptr())
        if region is not None:
            region.release()

    def begin(self, part: "_DiskPart") -> None:
        """A part's turn has come: wait for its tensors, and send for those of the part that came after it last time."""
        with self._lock:
            if self._current is not None:
                self._following[self._current] = part
            self._current = part
            if self._expected is not None and self._expected is not part:
                self._expected.forget()
            part.enter()
            self._expected = self._following[part]
            if self._expected is not part:
                self._expected.send_for(self._threads)


@final
class _DiskPart:
    """A module whose tensors, or some of them, are on disk.

    On the CPU it computes with the mapped tensors themselves. Of an embedding only the rows that are asked for are
    read there, so nothing is read ahead.
    """

    def __init__(self, module: nn.Module, device: torch.device, regions: Mapping[int, Region]) -> None:
        self.module, self.device = module, device
        self._regions: list[Region] = []
        self._ahead: list[Region] = []
        self._elsewhere: list[tuple[dict[str, Any], str, Tensor]] = []
        """Tensors that have to be copied to the device: the module's own dictionary, their name there, and they."""
        for owner in module.modules():
            for held in (owner._parameters, owner._buffers):
                for name, tensor in held.items():
                    if tensor is None:
                        continue
                    if tensor.device == _CPU != device:
                        self._elsewhere.append((held, name, tensor))
                    region = regions.get(tensor.data_ptr())
                    if region is not None:
                        self._regions.append(region)
                        tensor.requires_grad_(False)
                        if device != _CPU or not isinstance(owner, nn.Embedding):
                            self._ahead.append(region)
        self._arriving: Future[Prefetch | None] | None = None
        self._users = 0
        self._lock = Lock()

    __reduce_ex__ = Offloaded.__reduce_ex__

    def send_for(self, threads: ThreadPoolExecutor) -> None:
        """Have the tensors read in another thread."""
        if self._arriving is None and not self._users:
            self._arriving = threads.submit(self._fetch)

    def forget(self) -> None:
        """Give back what was read for nothing."""
        if self._arriving is not None and not self._users:
            self._arriving.result()
            self._arriving = None
            self._release()

    def enter(self) -> None:
        """Have the tensors in place. Passes of several threads may be inside at a time."""
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            arriving, self._arriving = self._arriving, None
            try:
                copies = self._fetch() if arriving is None else arriving.result()
            except BaseException:
                self._users -= 1
                raise
            if copies is not None:
                self._put(copies.copies())

    def leave(self) -> None:
        """The last one who leaves gives the memory back."""
        with self._lock:
            if not self._users:  # entering has failed
                return
            self._users -= 1
            if not self._users:
                self._put(home for _, _, home in self._elsewhere)
                self._release()

    def _fetch(self) -> Prefetch | None:
        for region in self._ahead:
            region.bring()
        if not self._elsewhere:
            return None
        return Prefetch(tuple(tensor.detach() for _, _, tensor in self._elsewhere), self.device)

    def _put(self, tensors: Iterable[Tensor]) -> None:
        for (held, name, home), tensor in zip(self._elsewhere, tensors, strict=True):
            wrap = isinstance(home, nn.Parameter) and not isinstance(tensor, nn.Parameter)
            held[name] = nn.Parameter(tensor, requires_grad=False) if wrap else tensor

    def _release(self) -> None:
        for region in self._regions:
            region.release()


@final
class _Before:
    """The hook before a part runs."""

    def __init__(self, offloaded: Offloaded, part: _DiskPart) -> None:
        self.offloaded, self.part = offloaded, part

    def __call__(self, module: nn.Module, inputs: Any) -> None:
        self.offloaded.begin(self.part)


@final
class _After:
    """The hook after it, failed or not."""

    def __init__(self, part: _DiskPart) -> None:
        self.part = part

    def __call__(self, module: nn.Module, inputs: Any, output: Any) -> None:
        self.part.leave()


def _has_any(model: nn.Module, path: str, placement: Placement) -> bool:
    module = model.get_submodule(path)
    names = [name for name, _ in (*module.named_parameters(), *module.named_buffers())]
    return any(placement.place_of(f"{path}.{name}") == DISK for name in names)
