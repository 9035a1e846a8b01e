"""Flex attention's kernels for GPUs on a processor; see `modelry_testing.gpu_programs` and test_gpu_kernels.py.

Prints, as JSON, how far outputs and gradients are from eager attention's.
"""

import json
import sys
from collections.abc import Callable
from typing import Any

from modelry_testing.gpu_programs import prepare

CHANGES = {
    "torch._inductor.kernel.flex.flex_attention": [('query.get_device().type == "cpu"', "False")],
    "torch.nn.attention.flex_attention": [
        ("any_inputs_on_cpu_device = (", "any_inputs_on_cpu_device = False and ("),
        ('query.device.type == "cpu" and (', "False and ("),
    ],
    "modelry_flex_attention.attending": [('device == "cpu"', "False")],
}


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
    prepare(CHANGES)
    json.dump({name: measure() for name, measure in cases().items()}, sys.stdout)
