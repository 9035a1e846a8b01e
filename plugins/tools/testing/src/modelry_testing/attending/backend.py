"""An attention function, the place where it runs, and how it is held against the kernel's plain one.

B batch   T new positions   W keys offered   H query heads   K key/value heads   E head width
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor

from modelry.nn.attention import Attend
from modelry.nn.eager import eager_attention
from modelry.nn.masks import Mask
from modelry_registry import AttentionBackend
from modelry_testing.errors import ContractBroken

ROWS, HEADS, KV_HEADS, SIZE = 2, 4, 2, 16
SCALE = 0.3
"""Another than E ** -0.5, so that it counts."""

Tensors = tuple[Tensor, Tensor, Tensor]
MakeMask = Callable[[torch.device], Mask]


@dataclass(frozen=True)
class Backend:
    """What is checked."""

    spec: AttentionBackend
    attend: Attend
    device: torch.device
    dtype: torch.dtype
    tolerance: float

    @classmethod
    def running(cls, spec: AttentionBackend, attend: Attend, *, tolerance: float) -> "Backend":
        """The function in the first place that takes it: an accelerator where there is one, float32 before bfloat16."""
        devices = [torch.device(one) for one in (["cuda"] if torch.cuda.is_available() else []) + ["cpu"]]
        refusals = []
        for device in devices:
            for dtype in (torch.float32, torch.bfloat16):
                allowed = tolerance if dtype is torch.float32 else max(tolerance, 2e-2)
                found = cls(spec, attend, device, dtype, allowed)
                try:
                    with torch.no_grad():
                        found(found.tensors(3, 3), Mask())
                except ValueError as refusal:
                    refusals.append(f"{device.type} in {dtype}: {refusal}")
                else:
                    return found
        if devices[0].type == "cpu" and spec.module:
            pytest.skip(f"it needs an accelerator, and here is none ({refusals[0]})")
        raise ContractBroken(f"{spec.name} runs nowhere: {'; '.join(refusals)}")

    def tensors(self, new: int, width: int, *, kv_heads: int = KV_HEADS, seed: int = 0) -> Tensors:
        """Queries (B, H, T, E), keys and values (B, K, W, E), laid out as projections give them."""
        make = torch.Generator().manual_seed(100 * new + width + seed)

        def one(heads: int, count: int) -> Tensor:
            return torch.randn(ROWS, count, heads, SIZE, generator=make).transpose(1, 2).to(self.device, self.dtype)

        return one(HEADS, new), one(kv_heads, width), one(kv_heads, width)

    def __call__(self, given: Tensors, mask: Mask, *, dropout: float = 0.0, softcap: float = 0.0) -> Tensor:
        """Run it."""
        said: dict[str, Any] = {"dropout": dropout} if dropout else {}
        said |= {"softcap": softcap} if softcap else {}
        return self.attend(*given, mask, scale=SCALE, **said)

    def agrees(
        self,
        given: Tensors,
        make: MakeMask,
        *,
        what: str,
        read: Tensor | None = None,
        softcap: float = 0.0,
    ) -> None:
        """Hold it against the kernel's plain function.

        Args:
            make: the mask; each function gets one of its own.
            what: said in the message.
            read: (B, T) bool, the queries whose result anybody reads; all when None. The others are to be numbers.

        Raises:
            ContractBroken: it gives something else.
        """
        with torch.no_grad():
            expected = plain(given, make(self.device), softcap=softcap)
            found = self(given, make(self.device), softcap=softcap)
        self.same(found, expected, what=what, read=read)

    def same(self, found: Tensor, expected: Tensor, *, what: str, read: Tensor | None = None) -> None:
        """Raise ContractBroken where a result has another shape, is no number, or is too far off where it is read."""
        if found.shape != expected.shape:
            raise ContractBroken(f"{what}: the result has the shape {tuple(found.shape)}, not {tuple(expected.shape)}")
        if not torch.isfinite(found).all():
            raise ContractBroken(f"{what}: the result is not finite everywhere; padding has to give numbers too")
        far = (found.float() - expected.float()).abs()
        if read is not None:
            far = far * read.to(far.device)[:, None, :, None]
        if float(far.max()) > self.tolerance:
            raise ContractBroken(
                f"{what}: the result is {float(far.max()):.2g} off the plain one, more than {self.tolerance:.2g}"
            )


def plain(given: Tensors, mask: Mask, *, softcap: float = 0.0) -> Tensor:
    """What the kernel's plain function says in float32."""
    q, k, v = (one.float() for one in given)
    return eager_attention(q, k, v, mask, scale=SCALE, softcap=softcap)


def installed(spec: AttentionBackend) -> None:
    """Skip where what the backend runs on is not installed."""
    if spec.module and find_spec(spec.module) is None:
        pytest.skip(f"{spec.name} runs on the module {spec.module}, which is not installed")
