"""Flex attention's kernels for GPUs on a processor: torch's compiler writes them, and Triton interprets them.

Run with Triton on the path and told so (see test_gpu_kernels.py). PyTorch is changed where it asks for the kind of
device: on a CPU it would write other kernels, and no gradient. Prints, as JSON, how far outputs and gradients are from
eager attention's.
"""

import importlib.abc
import importlib.machinery
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

CHANGES = {
    "torch._inductor.kernel.flex.flex_attention": ('query.get_device().type == "cpu"', "False"),
    "torch.nn.attention.flex_attention": ("any_inputs_on_cpu_device = (", "any_inputs_on_cpu_device = False and ("),
    "modelry_flex_attention.attending": ('device == "cpu"', "False"),
}
"""By module, what is written there, and what is read instead."""


class Changed(importlib.machinery.SourceFileLoader):
    """A module of `CHANGES`."""

    def get_code(self, fullname: str) -> Any:
        before, after = CHANGES[fullname]
        source = self.get_data(self.path).decode()
        assert before in source, f"{fullname} does not say {before!r} any more"
        return compile(source.replace(before, after), self.path, "exec")


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name not in CHANGES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        spec.loader = Changed(name, str(spec.origin))
        return spec


class Driver:
    """What the compiler asks of a GPU: an H100's answers."""

    arch, backend, warp_size = 90, "cuda", 32

    def get_current_target(self) -> "Driver":
        return self

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: object = None) -> int:
        return 0

    def get_device_interface(self) -> Any:
        import torch

        return torch.cpu


def prepare() -> None:
    """Let compiled programs on the CPU be Triton's."""
    sys.meta_path.insert(0, Finder())
    import torch
    import torch._inductor.codegen.triton_utils
    import torch._inductor.codegen.wrapper
    import torch._inductor.config
    import torch._inductor.runtime.triton_helpers as helpers
    import torch.nn.attention.flex_attention as flex
    import triton.language as tl
    from triton.runtime import driver

    driver.set_active(Driver())
    torch.cuda.get_device_properties = lambda *_: SimpleNamespace(multi_processor_count=132)
    torch._inductor.config.cpu_backend = "triton"
    torch._inductor.config.compile_threads = 1
    for module in (torch._inductor.codegen.triton_utils, torch._inductor.codegen.wrapper):
        module.should_unwrap_unspec_arg = lambda name: False  # a CPU's single numbers go by value otherwise
    flex._validate_device = lambda *_: None
    # CUDA's own library cannot be interpreted.
    helpers.libdevice = SimpleNamespace(
        exp2=lambda x: tl.exp2(x), log2=lambda x: tl.log2(x), tanh=lambda x: 2 * tl.sigmoid(2 * x) - 1
    )


def cases() -> dict[str, Callable[[], list[float]]]:
    """Three heads on a key, a window and padding behind cached positions, and caps: one after the other."""
    import torch

    from modelry.nn.eager import eager_attention
    from modelry.nn.masks import Mask, causal_mask
    from modelry_flex_attention import attending

    attending.WITHOUT_BACKWARD = ()
    make = torch.Generator().manual_seed(0)
    texts = torch.ones(2, 20, dtype=torch.long)
    texts[0, :4], texts[1, 11:] = 0, 2
    real = texts.bool()[:, None, :, None]
    here = torch.device("cpu")

    def apart(
        mask: Callable[[], Mask],
        *,
        heads: int,
        keys: int,
        new: int,
        width: int,
        size: int = 16,
        read: Any = 1,
        **more: Any,
    ) -> list[float]:
        shapes = (2, heads, new, size), (2, keys, width, size), (2, keys, width, size)
        held = [torch.randn(shape, generator=make, requires_grad=True) for shape in shapes]
        said = []
        for attend in (attending.flex_attention, eager_attention):
            mixed = attend(*held, mask(), scale=0.25, **more) * read
            said.append([mixed, *torch.autograd.grad(mixed.square().sum(), held)])
        return [float((one - other).abs().max() / other.abs().max()) for one, other in zip(*said, strict=True)]

    def caps(softcap: float) -> list[float]:
        return apart(lambda: Mask(causal=True), heads=3, keys=1, new=20, width=20, size=24, softcap=softcap)

    return {
        "three heads on a key": lambda: apart(lambda: Mask(causal=True), heads=3, keys=1, new=20, width=20, size=24),
        "few behind many": lambda: apart(
            lambda: causal_mask(texts, new=3, seen=17, width=32, window=6, device=here),
            **{"heads": 4, "keys": 2, "new": 3, "width": 32, "read": real[:, :, 17:]},
        ),
        "a cap": lambda: caps(2.0),
        "another cap": lambda: caps(3.0),
    }


if __name__ == "__main__":
    prepare()
    json.dump({name: measure() for name, measure in cases().items()}, sys.stdout)
