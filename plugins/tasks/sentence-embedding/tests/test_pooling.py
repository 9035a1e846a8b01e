"""Poolings and similarities, held against loops over single texts."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from modelry_sentence_embedding.pooling import POOLINGS, PoolingName, pool
from modelry_sentence_embedding.similarity import SIMILARITIES, cosine_similarity, rows

HIDDEN = torch.randn(3, 5, 4, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
BY_HAND: dict[PoolingName, Callable[[Tensor], Tensor]] = {
    "mean": lambda real: real.mean(0),
    "cls": lambda real: real[0],
    "max": lambda real: real.max(0).values,
    "mean_sqrt_len_tokens": lambda real: real.sum(0) / len(real) ** 0.5,
    "weightedmean": lambda real: sum((n + 1) * one for n, one in enumerate(real)) / (len(real) * (len(real) + 1) / 2),  # type: ignore[return-value]  # a sum of tensors
    "lasttoken": lambda real: real[-1],
}


@pytest.mark.parametrize("name", POOLINGS)
def test_each(name: PoolingName) -> None:
    expected = torch.stack([BY_HAND[name](hidden[mask.bool()]) for hidden, mask in zip(HIDDEN, MASK, strict=True)])
    torch.testing.assert_close(pool(HIDDEN, MASK, (name,)), expected)
    assert pool(HIDDEN.bfloat16(), MASK, (name,)).dtype is torch.float32


def test_several_are_joined() -> None:
    both = pool(HIDDEN, MASK, ("cls", "mean"))
    assert torch.equal(both, torch.cat((pool(HIDDEN, MASK, ("cls",)), pool(HIDDEN, MASK, ("mean",))), -1))


def test_similarities() -> None:
    one, other = HIDDEN[0], list(HIDDEN[1])
    for name, similar in SIMILARITIES.items():
        found = similar(one, other)
        for i in range(5):
            for j in range(5):
                x, y = one[i], other[j]
                expected = {
                    "cosine": x @ y / x.norm() / y.norm(),
                    "dot": x @ y,
                    "euclidean": -(x - y).norm(),
                    "manhattan": -(x - y).abs().sum(),
                }[name]
                torch.testing.assert_close(found[i, j], expected, atol=1e-4, rtol=1e-4)
    assert cosine_similarity(one[0], one[0]).shape == (1, 1)
    assert rows(other).shape == (5, 4)
