"""The experts of a mixture as a module each, for what acts on linear layers: quantization schemes, adapters.

N tokens, of all rows   D width of the residual stream   F width inside an expert   X experts   C chosen for a token
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from modelry.nn.experts import Experts, by_expert
from modelry.nn.mlp import GatedMLP


class SeparateExperts(nn.ModuleList):
    """X gated MLPs, in place of `Experts`. Files name them alike.

    Args:
        stacked: whose sizes and activation they have; its values are not taken.
    """

    was_stacked: ClassVar[bool] = True
    """Files' names of the parts are read as `modelry.checkpoint.separate_rows` says."""

    def __init__(self, stacked: Experts) -> None:
        count, inner, size = stacked.gate_proj.shape
        super().__init__(GatedMLP(size, inner, act=stacked.act) for _ in range(count))

    def forward(self, x: Tensor, chosen: Tensor, shares: Tensor) -> Tensor:
        """What `Experts.forward` says. In a compiled graph, which cannot ask who chose whom, every expert runs."""
        if not torch.compiler.is_compiling():
            return by_expert(x, chosen, shares, lambda number, tokens: self[number](tokens), experts=len(self))
        weights = torch.zeros(x.shape[0], len(self), dtype=shares.dtype, device=x.device).scatter(1, chosen, shares)
        said = torch.zeros_like(x)
        for number, expert in enumerate(self):
            said = said + (expert(x) * weights[:, number, None]).to(x.dtype)
        return said


def separate_experts(model: nn.Module) -> None:
    """Replace all stacked experts of a model, which stands on the meta device."""
    for path, part in list(model.named_modules()):
        if type(part) is Experts:
            with torch.device("meta"):
                separate = SeparateExperts(part)
            separate.train(part.training)
            model.set_submodule(path, separate)
