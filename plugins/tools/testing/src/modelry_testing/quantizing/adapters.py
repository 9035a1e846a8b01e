"""Adapters on packed layers: they train, and the packed weights under them do not have to."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from modelry_testing.errors import ContractBroken

RANK, STEPS = 4, 8


class Adapter(nn.Module):
    """What PEFT's LoRA puts around a linear layer."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer
        self.down = nn.Linear(layer.in_features, RANK, bias=False)
        self.up = nn.Linear(RANK, layer.out_features, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)."""
        y: Tensor = self.layer(x) + self.up(self.down(x))
        return y


def adapters_train(model: nn.Module, names: Iterable[str], ids: Tensor) -> None:
    """Put an adapter on each named layer, in place, and train them to say `ids` (B, T).

    Raises:
        ContractBroken: an adapter gets no gradient, or the loss does not fall.
    """
    for name in sorted(names):
        layer = model.get_submodule(name)
        assert isinstance(layer, nn.Linear)
        model.set_submodule(name, Adapter(layer))
    adapters = {name: one for name, one in model.named_parameters() if ".up." in name or ".down." in name}
    optimizer = torch.optim.Adam(adapters.values(), lr=0.01)
    losses = []
    for _ in range(STEPS):
        loss = model(input_ids=ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    without = [name for name, one in adapters.items() if one.grad is None]
    if without:
        raise ContractBroken(f"no gradient reaches {', '.join(without)}")
    if not losses[-1] < losses[0]:
        raise ContractBroken(f"the loss was {losses[0]:.4g}, and is {losses[-1]:.4g} after {STEPS} steps")
