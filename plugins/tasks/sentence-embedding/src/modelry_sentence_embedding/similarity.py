"""How alike vectors are: pure functions.

N, M vectors   D their width
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

SimilarityName = Literal["cosine", "dot", "euclidean", "manhattan"]
Vectors = Tensor | Sequence[Tensor]


def rows(vectors: Vectors) -> Tensor:
    """(N, D) float32 of a matrix, a vector or a list of vectors."""
    matrix = vectors if isinstance(vectors, Tensor) else torch.stack(list(vectors))
    return (matrix if matrix.ndim > 1 else matrix[None]).float()


def cosine_similarity(one: Vectors, other: Vectors) -> Tensor:
    """The cosines of the angles, (N, M), -1 to 1.

    Args:
        one: (N, D).
        other: (M, D).
    """
    return F.normalize(rows(one), dim=-1) @ F.normalize(rows(other), dim=-1).T


def dot(one: Vectors, other: Vectors) -> Tensor:
    """(N, M)."""
    return rows(one) @ rows(other).T


def euclidean(one: Vectors, other: Vectors) -> Tensor:
    """The distances with a minus, (N, M): larger is more alike."""
    return -torch.cdist(rows(one), rows(other))


def manhattan(one: Vectors, other: Vectors) -> Tensor:
    """The sums of distances along each axis with a minus, (N, M)."""
    return -torch.cdist(rows(one), rows(other), p=1.0)


SIMILARITIES: Mapping[SimilarityName, Callable[[Vectors, Vectors], Tensor]] = {
    "cosine": cosine_similarity,
    "dot": dot,
    "euclidean": euclidean,
    "manhattan": manhattan,
}
"""By their published names."""
