"""Both backends, held against a float64 loop over heads; and the shapes around them."""

import math

import pytest
import torch
from torch import Tensor

from modelry.nn.attention import Attend, joint_heads, merge_heads, rotated_heads, self_attention, split_heads
from modelry.nn.eager import eager_attention
from modelry.nn.fuse import fuse_projections
from modelry.nn.linear import Linear
from modelry.nn.masks import Mask, bidirectional_mask, causal_mask
from modelry.nn.rope import RotaryEmbedding, rotate
from modelry.nn.rope_parameters import RopeParameters
from modelry.nn.sdpa import FEW_ROWS, sdpa_attention

CPU = torch.device("cpu")
BACKENDS = pytest.mark.parametrize("attend", [eager_attention, sdpa_attention])


def by_loop(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor, scale: float) -> Tensor:
    q, k, v = q.double(), k.double(), v.double()
    group = q.shape[1] // k.shape[1]
    out = torch.zeros_like(q)
    for row in range(q.shape[0]):
        for head in range(q.shape[1]):
            scores = q[row, head] @ k[row, head // group].T * scale
            scores = scores.masked_fill(~allowed.expand(q.shape[0], -1, -1, -1)[row, 0], -math.inf)
            out[row, head] = scores.softmax(-1) @ v[row, head // group]
    return out.float()


def heads(new: int, width: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    make = torch.Generator().manual_seed(new + width)
    q = torch.randn(2, new, 4, 8, generator=make).transpose(1, 2)
    return q, *(torch.randn(2, kv_heads, width, 8, generator=make) for _ in range(2))


@BACKENDS
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(
    ("new", "seen", "width"), [(1, 0, 1), (1, 9, 10), (1, 9, 64), (5, 9, 64), (FEW_ROWS + 3, 2, 64)]
)
@pytest.mark.parametrize("padded", [False, True])
def test_against_a_loop(attend: Attend, kv_heads: int, new: int, seen: int, width: int, padded: bool) -> None:
    q, k, v = heads(new, width, kv_heads)
    attention_mask = torch.ones(2, seen + new)
    attention_mask[1, : (seen + new) // 2] = 0
    mask = causal_mask(attention_mask if padded else None, new=new, seen=seen, width=width, device=CPU)
    allowed = torch.ones(1, 1, new, width, dtype=torch.bool) if mask.allowed is None else mask.allowed
    out = attend(q, k, v, mask, scale=0.3)
    torch.testing.assert_close(out, by_loop(q, k, v, allowed, 0.3), atol=1e-5, rtol=1e-5)


@BACKENDS
@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_a_chunk_behind_others(attend: Attend, kv_heads: int, dtype: torch.dtype, tolerance: float) -> None:
    q, k, v = (one.to(dtype) for one in heads(70, 128, kv_heads))
    mask = causal_mask(new=70, seen=40, width=128, device=CPU)
    assert mask.earlier == 40
    assert mask.allowed is not None
    with torch.no_grad():
        out = attend(q, k, v, mask, scale=0.3)
    torch.testing.assert_close(out.float(), by_loop(q, k, v, mask.allowed, 0.3), atol=tolerance, rtol=tolerance)


def test_a_chunk_in_a_window_is_no_simple_one() -> None:
    assert causal_mask(new=70, seen=40, width=128, window=50, device=CPU).earlier is None


@BACKENDS
@pytest.mark.parametrize("new", [1, 6, FEW_ROWS + 9])
def test_causal_without_a_tensor(attend: Attend, new: int) -> None:
    q, k, v = heads(new, new, 2)
    out = attend(q, k, v, causal_mask(new=new, device=CPU), scale=0.3)
    allowed = torch.ones(1, 1, new, new).tril().bool()
    torch.testing.assert_close(out, by_loop(q, k, v, allowed, 0.3), atol=1e-5, rtol=1e-5)


@BACKENDS
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_row_of_padding_only_gives_numbers(attend: Attend, dtype: torch.dtype) -> None:
    q, k, v = (tensor.to(dtype) for tensor in heads(6, 6, 2))
    real = torch.tensor([[0] * 6, [1] * 6])
    for mask in (causal_mask(real, new=6, device=CPU), bidirectional_mask(real)):
        assert torch.isfinite(attend(q, k, v, mask, scale=0.3)).all()


def test_weights_are_given_by_eager_only() -> None:
    q, k, v = heads(3, 3, 2)
    weights: list[Tensor] = []
    mask = causal_mask(new=3, device=CPU, weights=weights)
    out = eager_attention(q, k, v, mask, scale=0.3)
    assert weights[0].shape == (2, 4, 3, 3)
    torch.testing.assert_close(weights[0] @ v.repeat_interleave(2, 1), out)
    with pytest.raises(ValueError, match="set_attn_implementation\\('eager'\\)"):
        sdpa_attention(q, k, v, mask, scale=0.3)


@BACKENDS
def test_dropout_drops(attend: Attend) -> None:
    q, k, v = heads(40, 40, 2)
    torch.manual_seed(0)
    dropped = attend(q, k, v, Mask(), scale=0.3, dropout=0.5)
    assert not torch.allclose(dropped, attend(q, k, v, Mask(), scale=0.3))


def test_heads_split_and_merge() -> None:
    for new in (1, 3):
        x = torch.randn(2, new, 12)
        split = split_heads(x, 3)
        assert split.shape == (2, 3, new, 4)
        assert torch.equal(split[1, 2, 0], x[1, 0, 8:])
        assert torch.equal(merge_heads(split), x)


def test_rotated_heads_in_one_product() -> None:
    module = torch.nn.Module()
    module.q_proj, module.k_proj, module.v_proj = Linear(10, 16), Linear(10, 8), Linear(10, 8)
    layers = (module.q_proj, module.k_proj, module.v_proj)
    rotary = RotaryEmbedding(RopeParameters(), head_width=4, max_positions=9)
    angles = rotary(torch.arange(5)[None], torch.float32)
    x = torch.randn(2, 5, 10)
    with torch.no_grad():
        apart = rotated_heads(x, layers, angles, heads=4, kv_heads=2)
        assert fuse_projections(module) == 1
        together = rotated_heads(x, layers, angles, heads=4, kv_heads=2)
        torch.testing.assert_close(apart[0], rotate(split_heads(module.q_proj(x), 4), angles))
    for one, other, count in zip(apart, together, (4, 2, 2), strict=True):
        assert one.shape == (2, count, 5, 4)
        torch.testing.assert_close(one, other)


def test_an_encoders_attention_by_hand() -> None:
    module = torch.nn.Module()
    module.query, module.key, module.value = (Linear(10, 8) for _ in range(3))
    layers = (module.query, module.key, module.value)
    x, mask = torch.randn(2, 5, 10), bidirectional_mask(torch.tensor([[1, 1, 1, 0, 0], [1] * 5]))
    with torch.no_grad():
        q, k, v = (split_heads(layer(x), 2) for layer in layers)
        assert mask.allowed is not None
        expected = merge_heads(by_loop(q, k, v, mask.allowed.expand(2, 1, 5, 5), 0.5))
        for _ in ("apart", "in one product"):
            found = self_attention(x, layers, mask, attend=sdpa_attention, heads=2, scale=0.5)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
            assert fuse_projections(module) == 1


def test_heads_of_one_layer_that_gives_all_three() -> None:
    joint = torch.randn(2, 5, 4 * 8)
    q, k, v = joint_heads(joint, heads=4, kv_heads=2)
    assert torch.equal(q, split_heads(joint[..., :16], 4))
    assert torch.equal(k, split_heads(joint[..., 16:24], 2))
    assert torch.equal(v, split_heads(joint[..., 24:], 2))
