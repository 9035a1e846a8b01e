"""What is special about running a Qwen3-MoE: plain layers among mixtures, and generating while routers are watched."""

from typing import Any

import torch

from modelry.nn.experts import SparseMLP
from modelry.nn.mlp import GatedMLP
from modelry_qwen3_moe import Qwen3MoeConfig, Qwen3MoeForCausalLM
from modelry_registry import get_registry


def tiny(**changes: Any) -> Qwen3MoeForCausalLM:
    torch.manual_seed(0)
    values = {**get_registry().get("models", "qwen3_moe").tiny, "initializer_range": 0.2, **changes}
    return Qwen3MoeForCausalLM(Qwen3MoeConfig(**values)).eval()


def test_plain_layers() -> None:
    kinds = [type(layer.mlp) for layer in tiny().model.layers]
    assert kinds == [SparseMLP, GatedMLP, SparseMLP]


def test_generation_while_routers_are_watched() -> None:
    """Rows padded on the left, whose masks are longer than what a step reads."""
    ids = torch.randint(3, 128, (2, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    found = [
        tiny(output_router_logits=watched).generate(ids, attention_mask=mask, max_new_tokens=6, eos_token_id=None)
        for watched in (False, True)
    ]
    assert torch.equal(*found)
