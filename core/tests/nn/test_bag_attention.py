"""Attention by sums of rows gives what the softmax of all scores in float64 gives."""

import pytest
import torch

from modelry.nn import bag_attention
from modelry.nn.bag_attention import attended_by_bags, bags, takes_bags


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize(("heads", "kv_heads"), [(6, 3), (4, 4), (5, 1)])
def test_one_position(dtype: torch.dtype, most: float, heads: int, kv_heads: int) -> None:
    width, size, scale = 64, 24, 0.2
    made = torch.Generator().manual_seed(heads)
    q = torch.randn(heads, size, generator=made).to(dtype)
    keys, values = torch.randn(2, kv_heads, width, size, generator=made).to(dtype)
    tail = torch.zeros(1, 1, width, dtype=dtype)
    tail[..., 50:] = float("-inf")
    out = torch.empty(heads, size, dtype=dtype)
    which = bags(heads, kv_heads, width, size)
    turned = keys.transpose(1, 2).contiguous()
    attended_by_bags(q.view(-1), turned, values, tail, which, scale=scale, out=out)
    wide_k, wide_v = (one.double().repeat_interleave(heads // kv_heads, 0) for one in (keys, values))
    shares = torch.softmax((wide_k @ q.double()[:, :, None])[..., 0] * scale + tail[0].double(), dim=-1)
    expected = (shares[:, None] @ wide_v)[:, 0]
    assert (out.double() - expected).norm() < most * expected.norm()


def test_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few query heads share a key/value head, and the processor is one of those that were measured."""
    monkeypatch.setattr(bag_attention, "has_bfloat16_lanes", lambda: True)
    assert takes_bags(9, 3, torch.bfloat16)
    assert takes_bags(14, 2, torch.float32)
    assert not takes_bags(64, 8, torch.bfloat16)
    assert not takes_bags(9, 3, torch.float16)
    monkeypatch.setattr(bag_attention, "has_bfloat16_lanes", lambda: False)
    assert not takes_bags(9, 3, torch.bfloat16)
