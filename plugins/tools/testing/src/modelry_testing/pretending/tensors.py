"""Tensors that say they lie on a device, and what it refuses. Their numbers lie on the CPU, and are computed there."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, final

import torch
from torch import Generator, Tensor
from torch.utils._mode_utils import no_dispatch
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from modelry_testing.pretending.kernels import CPU_ONLY, STANDING_IN

aten: Any = torch.ops.aten
HOSTS = ("cpu", "meta")
COPIES = (aten.copy_, aten.copy, aten._to_copy)
INDEXED = (aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index)
"""Takes indices from the CPU too."""
WAITED_FOR = (
    *(aten._local_scalar_dense, aten.equal, aten.nonzero, aten.masked_select, aten._unique2, aten.unique_dim),
    *(aten.unique_consecutive, aten.bincount),
)
"""What a program reads from the device, or whose shape it must know: it waits until all work before is done."""
OF_FLOATS = (aten.mm, aten.bmm, aten.addmm, aten.baddbmm, aten.mv, aten.dot)
"""Products that CUDA has for floating numbers only."""
WIDE = (torch.float64, torch.complex128)
"""What Apple's GPU does not have."""
WHOLE = (aten.scaled_dot_product_attention, aten.ctc_loss)
"""Composed of others in a way that a device chooses for itself: its result is what is looked at."""
ASKED = (aten._use_cudnn_ctc_loss, aten._use_miopen_ctc_loss)
"""Whether a library is to compute something: none is there."""


GENERATORS: set[int] = set()
"""Addresses of generators that say they are a device's."""


class DevicesMet(RuntimeError):
    """Tensors of two devices met in an operation that takes those of one."""


@final
class DeviceTensor(Tensor):
    """Says that it lies on a device."""

    held: Tensor
    """The same numbers, on the CPU. Views of each other here are views there."""
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # no wrapping of results

    @staticmethod
    def __new__(cls, held: Tensor, device: torch.device) -> "DeviceTensor":
        made: DeviceTensor
        with torch.inference_mode(False):  # views of tensors from outside must have versions
            made = Tensor._make_wrapper_subclass(
                cls,
                held.size(),
                strides=held.stride(),
                storage_offset=held.storage_offset(),
                dtype=held.dtype,
                device=device,
            )
        made.held = held
        return made

    def is_inference(self) -> bool:
        """Whether it was made where no gradients are."""
        return self.held.is_inference()

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]  # torch is not annotated
        return f"DeviceTensor({self.held!r}, device='{self.device}')"

    def tolist(self) -> Any:
        """Waits, as a GPU's tensors do."""
        return self.cpu().tolist()

    def data_ptr(self) -> int:
        """Of the numbers, so that views and copies can be told apart."""
        return self.held.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        """Of the numbers."""
        return self.held.untyped_storage()

    def as_subclass(self, cls: type[Any]) -> Any:
        """Itself: torch cannot give one tensor two classes."""
        return self

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch leaves out cls and func
        cls, func: Any, types: Iterable[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return computed(func, args, dict(kwargs or {}), waits=Counter(), decomposed=lambda: NotImplemented)


def computed(
    func: Any, args: Sequence[Any], kwargs: dict[str, Any], *, waits: Counter[str], decomposed: Callable[[], Any]
) -> Any:
    """The result of one operation, on the device that it would be on.

    Args:
        waits: counts what a GPU is waited for.
        decomposed: the same as operations that are not composed of others.

    Raises:
        DevicesMet: tensors of two devices met.
        NotImplementedError: a GPU has no such kernel.
        RuntimeError: a generator of random numbers is another device's, or a copy would be read too early.
    """
    flat, _ = tree_flatten((args, kwargs))
    lying = [one for one in flat if isinstance(one, DeviceTensor)]
    named = next((torch.device(one) for one in flat if isinstance(one, torch.device)), None)
    elsewhere = named is not None and named.type not in HOSTS
    if not lying and not elsewhere:
        with no_dispatch():
            return func(*args, **kwargs)
    if func.overloadpacket in ASKED:
        return False
    if func.overloadpacket not in WHOLE and _composed(func):
        found = decomposed()
        return func.decompose(*args, **kwargs) if found is NotImplemented else found
    with no_dispatch():
        tensors = [one for one in flat if isinstance(one, Tensor)]
        if func.overloadpacket is aten._has_compatible_shallow_copy_type and len(lying) < len(tensors):
            return False
        device = _numbered(named) if named is not None else _meeting_place(func, args, tensors)
        if func.overloadpacket is aten._to_copy and device.type == "cpu" and kwargs.get("non_blocking"):
            raise RuntimeError(f"{func}: a copy to the CPU that nobody waits for is read before it is there")
        _count(waits, func, args, tensors, device)
        if device.type not in HOSTS:
            _refuse(func, flat, tensors, device)
        return _on_the_cpu(func, args, kwargs, device)


def _composed(func: Any) -> bool:
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    return bool(has(func.name(), "CompositeImplicitAutograd")) and not has(func.name(), "CPU")


def _numbered(device: torch.device) -> torch.device:
    return torch.device(device.type, 0) if device.type not in HOSTS and device.index is None else device


def _meeting_place(func: Any, args: Sequence[Any], tensors: Sequence[Tensor]) -> torch.device:
    """The one device of all tensors; single numbers on the CPU go everywhere."""
    packet, first = func.overloadpacket, tensors[0].device
    if packet in COPIES or packet is aten.set_:
        return first
    if packet in INDEXED:
        others = {one.device for one in tensors[1:]} - {torch.device("cpu"), first}
        if others:
            raise DevicesMet(f"{func}: a tensor on {first} has indices on {', '.join(sorted(map(str, others)))}")
        return first
    devices = {one.device for one in tensors if one.dim() or one.device.type != "cpu"}
    if len(devices) > 1:
        raise DevicesMet(f"{func}: tensors on {' and '.join(sorted(map(str, devices)))}")
    (device,) = devices
    written = func._schema.arguments and func._schema.arguments[0].is_write
    if written and isinstance(args[0], Tensor) and args[0].device != device:
        raise DevicesMet(f"{func}: writes into a tensor on {args[0].device} what lies on {device}")
    return device


def _refuse(func: Any, flat: Sequence[Any], tensors: Sequence[Tensor], device: torch.device) -> None:
    """Raise what a GPU would raise."""
    packet = func.overloadpacket
    for one in flat:
        if (
            isinstance(one, Generator)
            and getattr(one, "_cdata", 0) not in GENERATORS
            and one.device.type != device.type
        ):
            raise RuntimeError(f"{func}: expected a {device.type!r} generator, found one of {one.device.type!r}")
    if packet in OF_FLOATS and not (tensors[0].is_floating_point() or tensors[0].is_complex()):
        raise NotImplementedError(f"{func}: CUDA has no product of {tensors[0].dtype}")
    if device.type == "mps" and any(one.dtype in WIDE for one in tensors):
        raise TypeError(f"{func}: cannot convert a MPS Tensor to float64: MPS does not support it")
    if func.namespace not in ("aten", "prim", "prims") or any(word in str(func) for word in CPU_ONLY):
        raise NotImplementedError(f"{func}: a kernel for the CPU alone, reached with tensors on {device}")


def _count(
    waits: Counter[str], func: Any, args: Sequence[Any], tensors: Sequence[Tensor], device: torch.device
) -> None:
    packet, lying = func.overloadpacket, [isinstance(one, DeviceTensor) for one in tensors]
    if packet in WAITED_FOR or func is aten.repeat_interleave.Tensor:
        waits[str(func)] += any(lying)
    elif packet in INDEXED:
        waits[f"{func} of a mask"] += any(one.dtype == torch.bool for one in tensors[1:])
    elif packet in COPIES and any(lying) and not all(lying):
        waits["to the CPU" if device.type in HOSTS else "to the device"] += 1
    elif packet is aten._to_copy and any(lying) and device.type in HOSTS:
        waits["to the CPU"] += 1


def _on_the_cpu(func: Any, args: Sequence[Any], kwargs: dict[str, Any], device: torch.device) -> Any:
    flat, spec = tree_flatten((args, kwargs))
    cpu = torch.device("cpu")
    plain: list[Any] = [one.held if isinstance(one, DeviceTensor) else one for one in flat]
    if device.type != "meta":
        plain = [cpu if isinstance(one, torch.device) else one for one in plain]
    args, kwargs = tree_unflatten(plain, spec)
    kwargs.pop("pin_memory", None)
    work = func if device.type in HOSTS else STANDING_IN.get(func.overloadpacket, func)
    out = work(*args, **kwargs)
    if device.type in HOSTS:
        return out
    same = {id(inner): one for inner, one in zip(plain, flat, strict=True) if isinstance(one, DeviceTensor)}

    def lying(one: Any) -> Any:
        if device.type == "mps" and isinstance(one, Tensor) and one.dtype in WIDE:
            raise TypeError(f"{func}: cannot convert a MPS Tensor to float64: MPS does not support it")
        if id(one) in same:  # written in place
            return same[id(one)]
        return DeviceTensor(one, device) if isinstance(one, Tensor) else one

    return tree_map(lying, out)
