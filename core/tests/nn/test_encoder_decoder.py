"""Layers of encoders and decoders, held against the same operations of PyTorch."""

import pytest
import torch
from torch import Tensor, nn

from modelry.cache import CrossLayerCache
from modelry.nn.activations import activation
from modelry.nn.eager import eager_attention
from modelry.nn.encoder_decoder import CrossAttention, DecoderLayer, EncoderLayer
from modelry.nn.masks import Mask, causal_mask

SIZES = {"size": 12, "heads": 3, "inner": 20, "act": activation("relu")}
NAMES = {"linear1": "fc1", "linear2": "fc2", "norm1": "self_attn_layer_norm"}


def copied(theirs: nn.MultiheadAttention, ours: nn.Module) -> None:
    """PyTorch keeps the three projections in one tensor."""
    weights, biases = theirs.in_proj_weight.chunk(3), theirs.in_proj_bias.chunk(3)
    for name, weight, bias in zip(("q_proj", "k_proj", "v_proj"), weights, biases, strict=True):
        layer = ours.get_submodule(name)
        layer.load_state_dict({"weight": weight, "bias": bias})
    ours.get_submodule("out_proj").load_state_dict(theirs.out_proj.state_dict())


@pytest.mark.parametrize("norm_first", [True, False])
@torch.no_grad()
def test_an_encoder_layer(norm_first: bool) -> None:
    torch.manual_seed(0)
    theirs = nn.TransformerEncoderLayer(12, 3, 20, dropout=0.0, batch_first=True, norm_first=norm_first).eval()
    ours = EncoderLayer(**SIZES, norm_first=norm_first).eval()  # type: ignore[arg-type] # sizes by name
    copied(theirs.self_attn, ours.self_attn)
    for their, our in {**NAMES, "norm2": "final_layer_norm"}.items():
        ours.get_submodule(our).load_state_dict(theirs.get_submodule(their).state_dict())
    x = torch.randn(2, 5, 12)
    torch.testing.assert_close(ours(x, Mask()), theirs(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("norm_first", [True, False])
@torch.no_grad()
def test_a_decoder_layer(norm_first: bool) -> None:
    torch.manual_seed(1)
    theirs = nn.TransformerDecoderLayer(12, 3, 20, dropout=0.0, batch_first=True, norm_first=norm_first).eval()
    ours = DecoderLayer(**SIZES, norm_first=norm_first).eval()  # type: ignore[arg-type] # sizes by name
    copied(theirs.self_attn, ours.self_attn)
    copied(theirs.multihead_attn, ours.encoder_attn)
    for their, our in {**NAMES, "norm2": "encoder_attn_layer_norm", "norm3": "final_layer_norm"}.items():
        ours.get_submodule(our).load_state_dict(theirs.get_submodule(their).state_dict())
    x, source = torch.randn(2, 4, 12), torch.randn(2, 6, 12)
    later = torch.ones(4, 4).triu(1).bool()
    mask = causal_mask(new=4, device=torch.device("cpu"))
    found = ours(x, mask, source, Mask())
    torch.testing.assert_close(found, theirs(x, source, tgt_mask=later), atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_a_source_is_projected_once() -> None:
    layer, cache = CrossAttention(12, 3, source=7).eval(), CrossLayerCache()
    x: Tensor = torch.randn(1, 2, 12)
    source = torch.randn(1, 4, 7)
    expected = layer(x, source, Mask())
    assert torch.equal(layer(x, source, Mask(), cache), expected)
    assert torch.equal(layer(x, torch.zeros(1, 4, 7), Mask(), cache), expected)


@torch.no_grad()
def test_positions_are_no_values() -> None:
    """What is told in every layer moves queries and keys, and nothing else."""
    torch.manual_seed(3)
    layer = DecoderLayer(**SIZES, norm_first=False).eval()  # type: ignore[arg-type] # sizes by name
    x, source, place, source_place = (torch.randn(2, count, 12) for count in (4, 6, 4, 6))
    attention = layer.self_attn
    weights: list[Tensor] = []
    attention.attend = eager_attention
    attention(x + place, Mask(weights=weights))
    values = attention.v_proj(x).view(2, 4, 3, 4).transpose(1, 2)
    mixed = (weights[0] @ values).transpose(1, 2).reshape(2, 4, 12)
    torch.testing.assert_close(attention(x, Mask(), place=place), attention.out_proj(mixed), atol=1e-6, rtol=1e-5)
    alone = layer(x, Mask(), source, Mask())
    nowhere = layer(x, Mask(), source, Mask(), place=torch.zeros_like(place), source_place=torch.zeros_like(source))
    torch.testing.assert_close(nowhere, alone, atol=1e-6, rtol=1e-5)
    assert not torch.allclose(layer(x, Mask(), source, Mask(), source_place=source_place), alone)
