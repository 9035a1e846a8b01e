"""Attention under the names that vision transformers store."""

import torch

from modelry.nn.eager import eager_attention
from modelry.nn.fuse import fuse_projections
from modelry.nn.masks import Mask
from modelry.nn.vit_attention import ViTAttention, ViTLayers


def test_it_is_torchs_own_multi_head_attention() -> None:
    ours = ViTAttention(8, 2, bias=True, dropout=0.0).eval()
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).eval()
    heads = ours.attention
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([heads.query.weight, heads.key.weight, heads.value.weight]))
        theirs.in_proj_bias.copy_(torch.cat([heads.query.bias, heads.key.bias, heads.value.bias]))
        theirs.out_proj.load_state_dict(ours.output.dense.state_dict())
        x = torch.randn(2, 5, 8)
        expected, _ = theirs(x, x, x)
        torch.testing.assert_close(ours(x, Mask()), expected)
        assert fuse_projections(ours) == 1
        torch.testing.assert_close(ours(x, Mask()), expected)


def test_weights_are_collected() -> None:
    layer = ViTAttention(8, 2, bias=False, dropout=0.0)
    layer.attention.attend = eager_attention
    mask = Mask(weights=[])
    layer(torch.randn(2, 5, 8), mask)
    assert mask.weights is not None
    assert mask.weights[0].shape == (2, 2, 5, 5)


def test_layers_keep_the_residual_stream() -> None:
    layers = ViTLayers(ViTAttention(8, 2, bias=True, dropout=0.0) for _ in range(2))
    x, hidden = torch.randn(2, 5, 8), []
    out = layers(x, Mask(), hidden)
    assert len(hidden) == 3
    assert hidden[0] is x
    assert hidden[2] is out
    assert layers(x, Mask(), None).equal(out)
