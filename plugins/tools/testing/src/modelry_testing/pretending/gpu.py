"""The GPU that is none, for as long as a `with` lasts."""

import contextlib
import ctypes
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self, final
from unittest import mock

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from modelry_testing.pretending.backward import backward
from modelry_testing.pretending.driver import GIGABYTE, driven
from modelry_testing.pretending.tensors import computed

KINDS = {"cuda": 1, "xpu": 12, "mps": 13}
"""Numbers of torch's device types."""
OURS = 20
"""The one that is anybody's (PrivateUse1)."""
_TYPES = 32


@final
class PretendedGpu(TorchDispatchMode):
    """Makes devices "cuda:0", "cuda:1", … on a PyTorch that was built without. Gradients are computed there too.

    Args:
        kind: another make: "xpu", or "mps", which has neither float64 nor streams.
        count: of GPUs.
        capability: what `torch.cuda.get_device_capability` says.
        memory: bytes of each.
    """

    def __init__(
        self,
        *,
        kind: str = "cuda",
        count: int = 1,
        capability: tuple[int, int] = (9, 0),
        memory: int = 8 * GIGABYTE,
    ) -> None:
        super().__init__()
        self._is = kind, count, capability, memory
        self.waits: Counter[str] = Counter()
        """How often the program would have waited for the GPU, and for what."""
        self._around = contextlib.ExitStack()
        self._depth = 0

    def __enter__(self) -> Self:
        if not self._depth:
            self._around.enter_context(FakeTensorMode())  # PyTorch asks no driver where it sees one
            self._around.enter_context(_lifted_on_the_cpu())
            self._around.enter_context(_guarded(self._is[0]))
            self._around.enter_context(_swapped())
            self._around.enter_context(driven(*self._is))
            self._around.enter_context(mock.patch.object(torch.autograd, "backward", backward))
        self._depth += 1
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._depth -= 1
        if not self._depth:
            self._around.close()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})

        def decomposed() -> Any:
            with self:
                return func.decompose(*args, **kwargs)

        return computed(func, args, kwargs, waits=self.waits, decomposed=decomposed)


@contextlib.contextmanager
def _lifted_on_the_cpu() -> Iterator[None]:
    """Let `torch.tensor([…], device=…)` make its numbers on the CPU first, and move them by an operation."""
    before = torch._C._only_lift_cpu_tensors()
    torch._C._set_only_lift_cpu_tensors(True)
    try:
        yield
    finally:
        torch._C._set_only_lift_cpu_tensors(before)


class _Guard(torch._C._acc.DeviceGuard):
    """Who is asked which device is the present one. Nothing depends on it here."""

    kind = "cuda"

    def type_(self) -> Any:
        return getattr(torch._C._autograd.DeviceType, self.kind.upper())


@contextlib.contextmanager
def _guarded(kind: str) -> Iterator[None]:
    """Give a kind's place in PyTorch's table of devices to a guard that does nothing, and take it away again."""
    library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / "libc10.so"))
    table = (ctypes.c_void_p * _TYPES).in_dll(library, "_ZN3c104impl26device_guard_impl_registryE")
    place = KINDS[kind]
    if table[place]:
        yield
        return
    before, guard = table[OURS], _Guard()
    guard.kind = kind
    torch._C._acc.register_python_privateuseone_device_guard(guard)
    table[place], table[OURS] = table[OURS], before
    try:
        yield
    finally:
        table[place] = None


@contextlib.contextmanager
def _swapped() -> Iterator[None]:
    """Let `module.to(device)` exchange parameters: to keep them and set their data would lose what kind they are."""
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        yield
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)
