"""A flash attention package: where its two functions are, and what they can do."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One generation of the package."""

    name: str
    """Of the backend, for messages."""
    module: str
    """Where `flash_attn_func` and `flash_attn_varlen_func` are."""
    drops: bool
    """Whether the functions drop weights."""
    devices: tuple[str, ...] = ("cuda",)
    dtypes: tuple[torch.dtype, ...] = (torch.float16, torch.bfloat16)
    largest_head: int = 256
    step: int = 1
    """Widths of heads that the functions take are multiples of it."""

    @property
    def rectangular(self) -> Callable[..., Any]:
        """For rows of one length: (B, T, H, E), (B, W, K, E), (B, W, K, E) -> (B, T, H, E)."""
        found: Callable[..., Any] = import_module(self.module).flash_attn_func
        return found

    @property
    def ragged(self) -> Callable[..., Any]:
        """For texts one behind the other: (N, H, E), (M, K, E), (M, K, E), their ends -> (N, H, E)."""
        found: Callable[..., Any] = import_module(self.module).flash_attn_varlen_func
        return found

    def refuse(self, q: Tensor) -> None:
        """Refuse tensors that the functions cannot read.

        Args:
            q: (B, H, T, E).

        Raises:
            ValueError: another device or dtype, or too wide heads.
        """
        if q.device.type not in self.devices:
            raise ValueError(
                f"{self.name} computes on {' or '.join(self.devices)}, and the queries are on {q.device}: move the "
                "model there, or call model.set_attn_implementation('sdpa')"
            )
        if q.dtype not in self.dtypes:
            can = " or ".join(str(one).removeprefix("torch.") for one in self.dtypes)
            raise ValueError(
                f"{self.name} computes in {can}, and the queries are {str(q.dtype).removeprefix('torch.')}: load with "
                "dtype='bfloat16', train with bf16=True, or call model.set_attn_implementation('sdpa')"
            )
        if q.shape[3] > self.largest_head:
            raise ValueError(
                f"{self.name} computes heads up to a width of {self.largest_head}, and these have {q.shape[3]}: call "
                "model.set_attn_implementation('sdpa')"
            )

    def refuse_cuts(self, *, window: int | None, softcap: float) -> None:
        """Refuse what an installed package takes and passes over without a word.

        flash-attn 2.8 on its Triton kernels (FLASH_ATTENTION_TRITON_AMD_ENABLE=TRUE) takes both arguments and gives
        attention without them.

        Args:
            window: how many positions a query sees, itself included.
            softcap: see `modelry.nn.attention.Attend`.

        Raises:
            ValueError: one of them is wanted, and these kernels would compute.
        """
        if window is None and not softcap:
            return
        computing = getattr(getattr(import_module(self.module), "flash_attn_interface", None), "flash_attn_gpu", None)
        if getattr(computing, "__name__", "").endswith(".flash_attn_triton_amd.interface_fa"):
            wanted = f"a window of {window} positions" if window is not None else f"a softcap of {softcap:g}"
            raise ValueError(
                f"{self.name} runs here on flash-attn's Triton kernels (FLASH_ATTENTION_TRITON_AMD_ENABLE), which pass "
                f"over {wanted}, and the answer would be wrong: call model.set_attn_implementation('sdpa'), or unset "
                "the variable and build the package for this GPU"
            )
