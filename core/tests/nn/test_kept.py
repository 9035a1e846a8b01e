"""Lists that modules append to, in the hands of what moves and casts a module's inputs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from modelry.nn.kept import Kept
from modelry.nn.layers import run_layers
from modelry.nn.masks import Mask


class Layer(nn.Module):
    """Multiplies."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor, mask: Mask) -> Tensor:
        return x * self.scale


class Stack(nn.Module):
    """Layers that keep what goes through them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer() for _ in range(2))

    def forward(self, x: Tensor, hidden: Kept) -> Tensor:
        return run_layers(self.layers, x, Mask(), hidden)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Any]:
    """A mesh of this process."""
    dist.init_process_group("gloo", rank=0, world_size=1, init_method=f"file://{tmp_path / 'store'}")
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def test_sharding_with_mixed_precision_hands_it_on(alone: Any) -> None:
    model, hidden = Stack(), Kept()
    fully_shard(model, mesh=alone, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16))
    model(torch.ones(2, 3), hidden)
    assert [one.dtype for one in hidden] == [torch.bfloat16] * 3
