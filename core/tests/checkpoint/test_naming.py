"""A head may call a part of its own as its base model calls one: the whole name says whose a tensor is."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.errors import ModelryWarning
from modelry.model import PreTrainedModel


class Base(PreTrainedModel):
    """A model with an `extractor` of two layers."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.extractor = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.extractor(x)
        return found


class Head(PreTrainedModel):
    """A head with an `extractor` of one."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.model = Base(config)
        self.extractor = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.extractor(self.model(x))
        return found


def test_one_name_for_two_parts(tmp_path: Path) -> None:
    torch.manual_seed(0)
    base, config = Base(ModelConfig()), ModelConfig()
    base.save_pretrained(tmp_path / "base")
    with pytest.warns(ModelryWarning, match="made anew"):
        head = Head.from_pretrained(tmp_path / "base", config=config)
    for name, tensor in base.state_dict().items():
        assert torch.equal(head.model.state_dict()[name], tensor)
    head.save_pretrained(tmp_path / "head")
    again = Head.from_pretrained(tmp_path / "head", config=config)
    assert torch.equal(again.extractor.weight, head.extractor.weight)
    assert torch.equal(
        Base.from_pretrained(tmp_path / "head", config=config).extractor[1].weight, base.extractor[1].weight
    )
