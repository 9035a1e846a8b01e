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


class HeadOverHead(PreTrainedModel):
    """A head whose base model has a head itself."""

    base_model_prefix = "inner"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.inner = Head(config)
        self.last = nn.Linear(2, 5)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.last(self.inner(x))
        return found


@pytest.mark.parametrize(("kind", "new"), [(Head, "last"), (Base, "inner.extractor")])
def test_a_head_over_a_head_begins_with_either(tmp_path: Path, kind: type[PreTrainedModel], new: str) -> None:
    torch.manual_seed(0)
    below = kind(ModelConfig())
    below.save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match=new.replace(".", r"\.")):
        whole = HeadOverHead.from_pretrained(tmp_path)
    held: nn.Module = whole.inner if kind is Head else whole.inner.model
    assert all(one.equal(below.state_dict()[name]) for name, one in held.state_dict().items())
    whole.save_pretrained(tmp_path / "whole")
    again = HeadOverHead.from_pretrained(tmp_path / "whole")
    assert all(one.equal(again.state_dict()[name]) for name, one in whole.state_dict().items())
