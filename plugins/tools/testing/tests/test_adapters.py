"""Adapters that train are told from those that cannot."""

import pytest
import torch
from torch import Tensor, nn

from modelry_testing.errors import ContractBroken
from modelry_testing.quantizing.adapters import adapters_train
from modelry_testing.random_models import TINY, random_model

IDS = torch.tensor([[1, 5, 9, 3]])
NAMES = ["model.layers.0.mlp.up_proj", "lm_head"]


def test_adapters_on_a_float_model_train() -> None:
    adapters_train(random_model("llama", **TINY).requires_grad_(False), NAMES, IDS)


class Deaf(nn.Linear):
    """Lets no gradient through."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach()).detach()


def test_a_layer_that_lets_no_gradient_through() -> None:
    model = random_model("llama", **TINY).requires_grad_(False)
    model.model.layers[0].mlp.down_proj = Deaf(24, 16, bias=False).requires_grad_(False)
    with pytest.raises(ContractBroken, match=r"no gradient reaches .*up_proj\.down"):
        adapters_train(model, NAMES, IDS)
