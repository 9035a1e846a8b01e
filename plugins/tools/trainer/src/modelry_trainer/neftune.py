"""NEFTune: noise on the input embeddings while training. Jain et al. 2023, https://arxiv.org/abs/2310.05914."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from modelry_trainer.accumulation import unwrapped
from modelry_trainer.errors import ArgumentsError


@contextmanager
def noisy_embeddings(model: nn.Module, alpha: float | None) -> Iterator[None]:
    """Inside the block, add uniform noise in ± alpha / sqrt(positions x width) to embeddings of a training model.

    Raises:
        ArgumentsError: the model does not say where its input embeddings are.
    """
    if alpha is None:
        yield
        return
    find = getattr(unwrapped(model), "get_input_embeddings", None)
    if find is None:
        raise ArgumentsError(
            f"neftune_noise_alpha is {alpha:g} and {type(model).__name__} has no get_input_embeddings: leave it out"
        )

    def add_noise(module: nn.Module, inputs: Any, embedded: Any) -> Any:
        if not module.training:
            return embedded
        if isinstance(embedded, tuple):  # patches, and into how many rows and columns an image was divided
            return (noisy(embedded[0]), *embedded[1:])
        return noisy(embedded)

    def noisy(embedded: Tensor) -> Tensor:
        size = alpha / (embedded.shape[-2] * embedded.shape[-1]) ** 0.5
        return embedded + torch.empty_like(embedded).uniform_(-size, size)

    handle = find().register_forward_hook(add_noise)
    try:
        yield
    finally:
        handle.remove()
