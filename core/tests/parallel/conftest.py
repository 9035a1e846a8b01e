"""A group of one process, which is enough for all that needs no other."""

from collections.abc import Iterator

import pytest
import torch.distributed as dist
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from modelry.decoder import RotaryDecoder
from modelry.heads import CausalLM
from modelry.nn.decoder_config import RotaryDecoderConfig
from modelry.nn.decoder_layer import DecoderLayer, RotaryAttention, gated_mlp


class SmallModel(RotaryDecoder):
    """Of the kernel's bricks."""

    def __init__(self, config: RotaryDecoderConfig) -> None:
        super().__init__(config, lambda number: DecoderLayer(config, RotaryAttention(config), gated_mlp(config)))


class SmallForCausalLM(CausalLM):
    """Scores the next token."""

    base_class = SmallModel


@pytest.fixture
def mesh() -> Iterator[DeviceMesh]:
    """Of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    try:
        yield init_device_mesh("cpu", (1,), mesh_dim_names=("tp",))
    finally:
        dist.destroy_process_group()


@pytest.fixture
def small():
    """Makes a decoder with a head; values of its configuration may be changed."""

    def make(**values: object) -> SmallForCausalLM:
        sizes = {
            "vocab_size": 24,
            "hidden_size": 16,
            "intermediate_size": 24,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
        }
        return SmallForCausalLM.from_config(RotaryDecoderConfig(**{**sizes, **values})).eval()

    return make
