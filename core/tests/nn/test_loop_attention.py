"""Attention by written-out sums gives what the softmax of all scores in float64 gives."""

import pytest
import torch

from modelry.nn.loop_attention import PIECE, attended_by_loops, shares_few, takes_loops


@pytest.mark.parametrize(("dtype", "most"), [(torch.float32, 1e-6), (torch.bfloat16, 5e-3), (torch.float16, 1e-3)])
@pytest.mark.parametrize(("rows", "kv_heads", "sharing"), [(1, 3, 2), (2, 4, 1), (3, 1, 5)])
@pytest.mark.parametrize("masked", ["nothing", "tails", "heads"])
def test_one_position(dtype: torch.dtype, most: float, rows: int, kv_heads: int, sharing: int, masked: str) -> None:
    width, size, scale = 3 * PIECE, 24, 0.2
    made = torch.Generator().manual_seed(rows)
    q = torch.randn(rows, kv_heads * sharing, 1, size, generator=made).to(dtype)
    keys, values = torch.randn(2, rows, kv_heads, width, size, generator=made).to(dtype)
    added = torch.zeros(rows, kv_heads if masked == "heads" else 1, 1, width)
    if masked != "nothing":
        added[..., 50:] = float("-inf")
        added[-1, -1, :, 3:9] = -1.5
    turned = keys.transpose(2, 3).contiguous().transpose(2, 3)
    given = None if masked == "nothing" else added.to(dtype)
    found = attended_by_loops(q, turned, values, given, scale=scale)
    folded = q.double().view(rows, kv_heads, sharing, size)
    scores = folded @ keys.double().transpose(2, 3) * scale + added.double()
    expected = (torch.softmax(scores, dim=-1) @ values.double()).view(q.shape)
    assert found.dtype is dtype
    assert (found.double() - expected).norm() < most * expected.norm()


def test_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """In programs that are compiled, of one position, where keys lie turned and few queries share one."""
    q, keys = torch.zeros(1, 8, 1, 4), torch.zeros(1, 2, 64, 4)
    turned = torch.zeros(1, 2, 4, 64).transpose(2, 3)
    assert not takes_loops(q, turned)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert takes_loops(q, turned)
    assert not takes_loops(q, keys)
    assert not takes_loops(torch.zeros(1, 8, 2, 4), turned)
    assert not takes_loops(torch.zeros(1, 32, 1, 4), turned)
    assert shares_few(8, 1)
    assert not shares_few(9, 1)
