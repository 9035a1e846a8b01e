"""What `torch.cuda` and its like say of GPUs that are none: how many, how large, how able; and streams, which count."""

import contextlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor

from modelry_testing.pretending.tensors import GENERATORS

GIGABYTE = 1 << 30


class PretendedGenerator(torch.Generator):
    """Draws what the CPU's draws, and says that it is a GPU's."""

    def __new__(cls, device: Any = "cpu") -> torch.Generator:  # type: ignore[misc]  # as torch.Generator, on the CPU
        """One of a device."""
        wanted = torch.device(device)
        made: Any = super().__new__(cls if wanted.type != "cpu" else _GENERATOR)
        if wanted.type != "cpu":
            made.place = torch.device(wanted.type, wanted.index or 0)
            GENERATORS.add(made._cdata)
        return made  # type: ignore[no-any-return]  # either class

    @property
    def device(self) -> torch.device:  # type: ignore[override]  # torch has an attribute
        """Where it says to draw."""
        return self.place  # type: ignore[attr-defined,no-any-return]  # given when it was made


_GENERATOR = torch.Generator


class Stream:
    """Work that would run beside other work. Here all is done in order, and what is noted is who waits for whom."""

    def __init__(self, device: Any = None, **_: Any) -> None:
        self.device = torch.accelerator.current_accelerator() if device is None else torch.device(device)
        self.waited: list[object] = []

    def wait_stream(self, other: object) -> None:
        """Begin no further work before the other has done what it was given."""
        self.waited.append(other)

    def wait_event(self, event: object) -> None:
        """Begin no further work before something has happened."""
        self.waited.append(event)

    def record_event(self, event: Any = None) -> Any:
        """What has happened when all work so far is done."""
        return event or SimpleNamespace(stream=self)

    def synchronize(self) -> None:
        """Wait for its work."""

    def is_capturing(self) -> bool:
        """Whether its work is being recorded: never."""
        return False


class Event:
    """A moment in a stream."""

    stream: Stream | None = None

    def record(self, stream: Stream | None = None) -> None:
        """The moment when the work given to a stream so far is done."""
        self.stream = stream


@contextlib.contextmanager
def driven(kind: str, count: int, capability: tuple[int, int], memory: int) -> Iterator[dict[str, Any]]:
    """Let `torch.cuda`, or the module of another kind, and `torch.accelerator` answer for GPUs that are none.

    Args:
        kind: "cuda", "xpu" or "mps".
        memory: bytes of each.

    Yields:
        "streams": the present stream of each device.
    """
    properties = SimpleNamespace(total_memory=memory, major=capability[0], minor=capability[1], name="none")
    present = {index: Stream(torch.device(kind, index)) for index in range(count)}
    pinned: list[Tensor] = []

    def index_of(device: Any = None) -> int:
        if device is None or isinstance(device, int):
            return device or 0
        return torch.device(device).index or 0

    @contextlib.contextmanager
    def stream(given: Stream | None) -> Iterator[None]:
        if given is None:
            yield
            return
        index = index_of(given.device)
        before, present[index] = present[index], given
        try:
            yield
        finally:
            present[index] = before

    def pin_memory(tensor: Tensor, device: Any = None) -> Tensor:
        if tensor.device.type != "cpu":
            raise RuntimeError(f"cannot pin a tensor on {tensor.device}: only the CPU's memory is pinned")
        pinned.append(tensor.clone())
        return pinned[-1]

    def is_pinned(tensor: Tensor, device: Any = None) -> bool:
        begins = {one.untyped_storage().data_ptr() for one in pinned}
        return tensor.device.type == "cpu" and tensor.untyped_storage().data_ptr() in begins

    def record_stream(tensor: Tensor, stream: Stream) -> None:
        """Memory is never taken back here."""

    def new_tensor(
        tensor: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        made: Tensor = torch.tensor(
            data, dtype=dtype or tensor.dtype, device=device or tensor.device, requires_grad=requires_grad
        )
        return made

    answers: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: count,
        "current_device": lambda: 0,
        "get_device_properties": lambda device=None: properties,
        "get_device_capability": lambda device=None: capability,
        "get_device_name": lambda device=None: "none",
        "mem_get_info": lambda device=None: (memory, memory),
        "max_memory_allocated": lambda device=None: 0,
        "memory_allocated": lambda device=None: 0,
        "reset_peak_memory_stats": lambda device=None: None,
        "synchronize": lambda device=None: None,
        "empty_cache": lambda: None,
        "is_bf16_supported": lambda including_emulation=True: True,
        "set_device": lambda device: None,
        "get_rng_state": lambda device=None: torch.get_rng_state(),
        "set_rng_state": lambda state, device=None: torch.set_rng_state(state),
        "recommended_max_memory": lambda: memory,
        "driver_allocated_memory": lambda: 0,
        "Stream": Stream,
        "Event": Event,
        "stream": stream,
        "current_stream": lambda device=None: present[index_of(device)],
        "is_current_stream_capturing": lambda: False,
    }
    of_all: dict[str, Any] = {
        "is_available": lambda: True,
        "current_accelerator": lambda check_available=False: torch.device(kind),
        "device_count": lambda: count,
        "current_device_index": lambda: 0,
        "set_device_index": lambda device: None,
        "current_stream": lambda device=None: present[index_of(device)],
        "synchronize": lambda device=None: None,
    }
    with contextlib.ExitStack() as stack:
        for module, said in ((torch.get_device_module(kind), answers), (torch.accelerator, of_all)):
            for name, answer in said.items():
                if hasattr(module, name):  # each kind has what it has: Apple's no streams
                    stack.enter_context(mock.patch.object(module, name, answer))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))  # it would choose kernels of its own
        stack.enter_context(mock.patch.object(torch, "Generator", PretendedGenerator))
        stack.enter_context(mock.patch.object(Tensor, "new_tensor", new_tensor))  # torch asks for the present device
        stack.enter_context(mock.patch.object(Tensor, "pin_memory", pin_memory))
        stack.enter_context(mock.patch.object(Tensor, "is_pinned", is_pinned))
        stack.enter_context(mock.patch.object(Tensor, "record_stream", record_stream))
        yield {"streams": present}
