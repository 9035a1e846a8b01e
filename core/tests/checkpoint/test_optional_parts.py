"""Parts of a base model that only some heads have: they come and go without an error."""

import warnings
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from kernel_toys import NoteConfig
from torch import Tensor, nn

from modelry.errors import CheckpointError, ModelryWarning
from modelry.model import PreTrainedModel

pytestmark = pytest.mark.usefixtures("registry")


class PooledModel(PreTrainedModel):
    """A layer and, for whoever wants one, a pooler."""

    config_class = NoteConfig
    optional_parts: ClassVar[tuple[str, ...]] = ("pooler.",)

    def __init__(self, config: NoteConfig, *, pooling: bool = True) -> None:
        super().__init__(config)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size) if pooling else None

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(x)


class Head(PreTrainedModel):
    """A head on the model without a pooler."""

    base_class = PooledModel

    def __init__(self, config: NoteConfig) -> None:
        super().__init__(config)
        self.model = PooledModel(config, pooling=False)
        self.score = nn.Linear(config.hidden_size, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.model(x))


def config() -> NoteConfig:
    return NoteConfig(tie_word_embeddings=False)


def test_a_head_does_without_the_base_models_pooler(tmp_path: Path) -> None:
    base = PooledModel(config())
    base.save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match="score"):
        head = Head.from_pretrained(tmp_path)
    assert head.model.dense.weight.equal(base.dense.weight)


def test_the_pooler_is_made_anew_where_a_heads_checkpoint_has_none(tmp_path: Path) -> None:
    Head(config()).save_pretrained(tmp_path)
    with pytest.warns(ModelryWarning, match="pooler"):
        base = PooledModel.from_pretrained(tmp_path)
    assert base.pooler is not None
    assert torch.isfinite(base.pooler.weight).all()


def test_a_heads_checkpoint_may_hold_the_pooler_all_the_same(tmp_path: Path) -> None:
    whole = Head(config())
    whole.model.pooler = nn.Linear(8, 8)
    whole.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Head.from_pretrained(tmp_path).score.weight.equal(whole.score.weight)


def test_other_parts_are_still_refused(tmp_path: Path) -> None:
    whole = Head(config())
    whole.model.another = nn.Linear(8, 8)
    whole.save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="another"):
        Head.from_pretrained(tmp_path)
