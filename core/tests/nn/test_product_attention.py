"""Attention by plain products gives what the softmax of all scores in float64 gives, within bfloat16's rounding."""

import pytest
import torch
from torch import Tensor

from modelry.nn import product_attention, sdpa
from modelry.nn.masks import Mask, bidirectional_mask, causal_mask
from modelry.nn.processor import has_bfloat16_lanes, has_tiles
from modelry.nn.product_attention import attended, attended_by_one, takes_products, takes_products_by_one
from modelry.nn.sdpa import sdpa_attention

SCALE = 0.2


def drawn(rows: int, heads: int, kv_heads: int, new: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    made = torch.Generator().manual_seed(new + width)
    queries = torch.randn(rows, new, heads, 16, generator=made).transpose(1, 2)
    keys, values = torch.randn(2, rows, kv_heads, width, 16, generator=made)
    return queries.bfloat16(), keys.bfloat16(), values.bfloat16()


def exact(q: Tensor, k: Tensor, v: Tensor, added: Tensor | None) -> Tensor:
    group = q.shape[1] // k.shape[1]
    wide_q, wide_k, wide_v = q.double(), k.double().repeat_interleave(group, 1), v.double().repeat_interleave(group, 1)
    scores = wide_q @ wide_k.transpose(2, 3) * SCALE
    return torch.softmax(scores if added is None else scores + added, dim=-1) @ wide_v


def assert_near(found: Tensor, expected: Tensor) -> None:
    assert found.dtype is torch.bfloat16
    assert (found.double() - expected).norm() < 1e-2 * expected.norm()


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize(("new", "width"), [(150, 150), (70, 200), (5, 40)])
def test_causal(rows: int, new: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In several blocks, the last of them shorter."""
    monkeypatch.setattr(product_attention, "SCORES_AT_A_TIME", 1)
    q, k, v = drawn(rows, 6, 2, new, width)
    added = torch.full((new, width), float("-inf")).triu_(width - new + 1)
    assert_near(attended(q, k, v, scale=SCALE, causal=True), exact(q, k, v, added))


@pytest.mark.parametrize("shape", [(2, 1, 1, 90), (1, 6, 100, 90), (1, 1, 100, 90)])
def test_added(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_attention, "SCORES_AT_A_TIME", 1)
    q, k, v = drawn(2, 6, 3, 100, 90)
    added = torch.randn(shape, generator=torch.Generator().manual_seed(0)).round()
    added[..., -7:] = float("-inf")
    assert_near(attended(q, k, v, added.bfloat16(), scale=SCALE), exact(q, k, v, added))


def test_one_position() -> None:
    q, k, v = drawn(1, 6, 3, 1, 64)
    tail = torch.zeros(1, 1, 64)
    tail[..., 50:] = float("-inf")
    out = torch.empty(3, 2, 16, dtype=torch.bfloat16)
    attended_by_one(q.reshape(3, 2, 16), k[0].transpose(1, 2), v[0], tail.bfloat16(), scale=SCALE, out=out)
    assert_near(out.view(1, 6, 1, 16), exact(q, k, v, tail))


def test_when(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the processor has no tiles and the keys are many; of bfloat16 alone."""
    monkeypatch.setattr(product_attention, "has_bfloat16_lanes", lambda: True)
    q, k, _ = drawn(1, 6, 3, 100, 600)
    assert takes_products(q, k)
    assert not takes_products(q[:, :, :4], k)
    assert not takes_products(q, k[:, :, :400])
    assert not takes_products(q.float(), k.float())
    assert takes_products_by_one(3, 1000, torch.bfloat16)
    assert not takes_products_by_one(2, 10_000, torch.bfloat16)
    assert not takes_products_by_one(3, 1000, torch.float32)
    monkeypatch.setattr(product_attention, "has_bfloat16_lanes", lambda: False)
    assert not takes_products(q, k)


def test_lanes_and_tiles_are_two_kinds() -> None:
    assert not (has_tiles() and has_bfloat16_lanes())


@pytest.mark.parametrize("kind", ["causal", "earlier", "padded", "bidirectional", "few"])
def test_every_mask(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """sdpa gives the same by products and without them."""
    new, width = {"earlier": (40, 640), "few": (3, 2800)}.get(kind, (600, 600))
    q, k, v = drawn(2, 6, 3, new, width)
    device, padding = torch.device("cpu"), torch.ones(2, width)
    padding[1, :9] = 0
    mask: Mask = {
        "causal": lambda: causal_mask(new=new, device=device),
        "earlier": lambda: causal_mask(new=new, seen=500, width=width, device=device),
        "padded": lambda: causal_mask(padding, new=new, device=device),
        "bidirectional": lambda: bidirectional_mask(padding),
        "few": lambda: causal_mask(padding, new=new, seen=width - new, device=device),
    }[kind]()
    taken: list[Tensor] = []
    found = {}
    with torch.inference_mode():
        for lanes in (False, True):
            monkeypatch.setattr(product_attention, "has_bfloat16_lanes", lambda lanes=lanes: lanes)
            monkeypatch.setattr(sdpa, "attended", lambda *a, **b: taken.append(a[0]) or attended(*a, **b))
            found[lanes] = sdpa_attention(q, k, v, mask, scale=SCALE)
            assert bool(taken) is lanes
    real = torch.ones(2, new, dtype=torch.bool) if kind in ("causal", "earlier", "few") else padding[:, -new:].bool()
    one, other = (found[lanes].transpose(1, 2)[real].double() for lanes in (False, True))
    assert (one - other).norm() < 1e-2 * one.norm()
