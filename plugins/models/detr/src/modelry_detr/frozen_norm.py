"""Batch norms that never change: statistics and factors are what the backbone was trained with.

B images   C channels   H, W rows and columns
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-5


class FrozenBatchNorm2d(nn.Module):
    """A batch norm whose four tensors are buffers: nothing is learned, in training too.

    Args:
        channels: C.
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=EPS)


def freeze_norms(module: nn.Module) -> None:
    """Replace every batch norm inside by a frozen one, of a new model: values come from the checkpoint."""
    for name, child in list(module.named_modules()):
        if isinstance(child, nn.BatchNorm2d):
            module.set_submodule(name, FrozenBatchNorm2d(child.num_features))
