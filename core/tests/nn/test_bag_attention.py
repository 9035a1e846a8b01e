"""Attention by sums of rows gives what the softmax of all scores in float64 gives."""

import pytest
import torch

from modelry.nn import bag_attention
from modelry.nn.bag_attention import attended_by_bags, bags, is_dense, tables, takes_bags


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize(("rows", "kv_heads", "sharing"), [(1, 3, 2), (2, 4, 1), (3, 1, 5)])
@pytest.mark.parametrize("masked", [True, False])
def test_one_position(dtype: torch.dtype, most: float, rows: int, kv_heads: int, sharing: int, masked: bool) -> None:
    width, size, scale = 64, 24, 0.2
    made = torch.Generator().manual_seed(rows)
    q = torch.randn(rows, kv_heads, sharing, size, generator=made).to(dtype)
    keys, values = torch.randn(2, rows, kv_heads, width, size, generator=made).to(dtype)
    tail = torch.zeros(rows, 1, 1, width, dtype=dtype)
    tail[..., 50:] = float("-inf") if masked else 0
    turned = keys.transpose(2, 3).contiguous().transpose(2, 3)
    which = bags(rows, kv_heads, sharing, width, size)
    found = attended_by_bags(q, tables(turned, values), tail if masked else None, which, scale=scale)
    scores = q.double() @ keys.double().transpose(2, 3) * scale + tail.double()
    expected = torch.softmax(scores, dim=-1) @ values.double()
    assert found.dtype is dtype
    assert (found.view(q.shape).double() - expected).norm() < most * expected.norm()


def test_rows_that_share_keys() -> None:
    """Each pair of them reads the first of the two copies that the cache has."""
    keys, values = torch.randn(2, 4, 3, 5, 8, generator=torch.Generator().manual_seed(0))
    turned = keys.transpose(2, 3).contiguous().transpose(2, 3)
    q = torch.randn(2, 3, 2, 8, generator=torch.Generator().manual_seed(1))
    which = bags(2, 3, 2, 5, 8, apart=2)
    found = attended_by_bags(q, tables(turned, values), None, which, scale=0.5).view(q.shape)
    expected = torch.softmax(q @ keys[::2].transpose(2, 3) * 0.5, dim=-1) @ values[::2]
    torch.testing.assert_close(found, expected)


def test_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few queries share a key/value head, and the processor is one of those that were measured."""
    monkeypatch.setattr(bag_attention, "has_bfloat16_lanes", lambda: True)
    assert takes_bags(3, 10, torch.bfloat16)
    assert takes_bags(7, 1000, torch.float32)
    assert not takes_bags(7, 10, torch.float32)
    assert not takes_bags(8, 1000, torch.bfloat16)
    assert not takes_bags(3, 1000, torch.float16)
    monkeypatch.setattr(bag_attention, "has_bfloat16_lanes", lambda: False)
    assert not takes_bags(3, 1000, torch.bfloat16)


def test_a_batch_that_is_mostly_padding_is_not_dense() -> None:
    mask = torch.zeros(4, 100, dtype=torch.long)
    mask[0] = 1
    assert is_dense(mask, torch.bfloat16)
    assert not is_dense(mask, torch.float32)
    mask[0, 0] = 0
    assert not is_dense(mask, torch.bfloat16)
