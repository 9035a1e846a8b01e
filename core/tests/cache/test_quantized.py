"""The quantized cache: half a step off at most, and half the memory."""

import pytest
import torch
from torch import Tensor

from modelry.cache import QuantizedLayerCache
from modelry.cache.quantized import Packed, pack


def some(new: int, *, rows: int = 1, width: int = 64, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(rows, 2, new, width, generator=torch.Generator().manual_seed(new)).to(dtype)


def held_bytes(cache: QuantizedLayerCache) -> int:
    packed = [one for one in vars(cache).values() if isinstance(one, Packed)]
    tensors = [cache.keys, cache.values, *(tensor for one in packed for tensor in one)]
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors if tensor is not None)


def test_a_value_is_off_by_half_a_step() -> None:
    vectors = some(50) * torch.logspace(-30, 30, 50)[:, None]
    vectors[0, 0, 3] = 0
    packed = pack(vectors)
    found = torch.empty_like(vectors)
    packed.unpack_into(found)
    bound = vectors.abs().amax(-1, keepdim=True) / 254
    assert ((found - vectors).abs() <= bound * 1.0001).all()
    assert packed.numbers.dtype is torch.int8
    assert found[0, 0, 3].eq(0).all()


def test_the_newest_are_as_they_came() -> None:
    cache, new = QuantizedLayerCache(8), some(1)
    cache.extend(some(100), some(100))
    cache.advance(100)
    keys, values = cache.extend(new, -new)
    assert cache.packed == 92
    assert torch.equal(keys[:, :, 92:], torch.cat((some(100)[:, :, 92:], new), 2))
    assert torch.equal(values[:, :, 100:], -new)
    assert not torch.equal(keys[:, :, :92], some(100)[:, :, :92])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@torch.inference_mode()
def test_memory(dtype: torch.dtype) -> None:
    """2,000 positions of E 64: 68 bytes a vector for 128 or 256, and the newest block beside it."""
    cache = QuantizedLayerCache()
    cache.extend(some(1950, dtype=dtype), some(1950, dtype=dtype))
    cache.advance(1950)
    for _ in range(50):
        cache.extend(some(1, dtype=dtype), some(1, dtype=dtype))
        cache.advance(1)
    plain = 2 * some(2000, dtype=dtype).nbytes
    assert held_bytes(cache) < (0.6 if dtype is torch.bfloat16 else 0.34) * plain


def test_bfloat16_comes_back_as_bfloat16() -> None:
    cache = QuantizedLayerCache(0)
    first = some(9, dtype=torch.bfloat16)
    cache.extend(first, first)
    cache.advance(9)
    keys, _ = cache.extend(some(1, dtype=torch.bfloat16), some(1, dtype=torch.bfloat16))
    assert keys.dtype is torch.bfloat16
    step = first.float().abs().amax(-1, keepdim=True) / 254
    assert ((keys[:, :, :9] - first).float().abs() <= step + first.float().abs() / 128).all()


def test_gradients_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no gradient passes through rounding.*'dynamic'"):
        QuantizedLayerCache().extend(some(2).requires_grad_(), some(2))
