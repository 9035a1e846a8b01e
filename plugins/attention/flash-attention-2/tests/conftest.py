"""The packages' stand-ins, and the backends over them on the CPU in float32."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from modelry_flash_attention_2.attending import FlashAttention, flash_attention_2, flash_attention_3
from modelry_registry import AttentionBackend, Registry, get_registry, use_registry

STAND_IN = Path(__file__).parent / "stand_in"
MODULES = ("flash_attn", "flash_attn_interface", "flash_stand_in")
HERE: dict[str, Any] = {"devices": ("cpu",), "dtypes": (torch.float32, torch.bfloat16)}
SECOND = FlashAttention(replace(flash_attention_2.kernel, name="flash-2-here", **HERE))
THIRD = FlashAttention(replace(flash_attention_3.kernel, name="flash-3-here", **HERE))


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is called of the stand-ins, while they can be imported."""
    monkeypatch.syspath_prepend(STAND_IN)
    import flash_stand_in

    flash_stand_in.CALLS.clear()
    flash_stand_in.SECOND, flash_stand_in.THIRD = SECOND, THIRD
    yield flash_stand_in.CALLS
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def here(stand_in: list[str]) -> Iterator[Registry]:
    """A registry with backends that a model on the CPU can choose: "flash-2-here" and "flash-3-here"."""
    made = [
        AttentionBackend(name=one.kernel.name, attend=f"flash_stand_in:{name}", biases=False, patterns=False)
        for name, one in (("SECOND", SECOND), ("THIRD", THIRD))
    ]
    with use_registry(get_registry().extended(*made, distribution="stand-ins")) as extended:
        yield extended
