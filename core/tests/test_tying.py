"""Parameters that are one, of a model and of the models inside it, each as its own configuration says."""

from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import nn

from modelry.configuration import ModelConfig
from modelry.model import PreTrainedModel
from modelry.tying import tied_names, untie


class PairConfig(ModelConfig):
    model_type: Literal["pair"] = "pair"
    tie_word_embeddings: bool = True


class Pair(PreTrainedModel):
    config_class = PairConfig
    tied_weights: ClassVar = {"head.weight": "shared.weight"}
    shared_weights: ClassVar = {"inner.weight": "shared.weight"}

    def __init__(self, config: PairConfig) -> None:
        super().__init__(config)
        self.shared, self.inner, self.head = nn.Embedding(5, 3), nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)


class Outer(PreTrainedModel):
    config_class = PairConfig

    def __init__(self, config: PairConfig, inner: PairConfig) -> None:
        super().__init__(config)
        self.part = Pair(inner)


@pytest.mark.parametrize("tied", [True, False])
def test_each_part_by_its_own_configuration(tied: bool) -> None:
    model: Any = Outer(PairConfig(tie_word_embeddings=not tied), PairConfig(tie_word_embeddings=tied))
    expected = {"part.inner.weight": "part.shared.weight"}
    assert tied_names(model) == {**expected, **({"part.head.weight": "part.shared.weight"} if tied else {})}
    assert model.part.inner.weight is model.part.shared.weight
    assert (model.part.head.weight is model.part.shared.weight) == tied


def test_untied_in_every_part() -> None:
    model = Outer(PairConfig(), PairConfig())
    untie(model)
    assert tied_names(model) == {"part.inner.weight": "part.shared.weight"}


def test_what_is_always_one_is_stored_once(tmp_path: Any) -> None:
    from safetensors.torch import load_file

    model = Pair(PairConfig(tie_word_embeddings=False))
    model.save_pretrained(tmp_path)
    assert sorted(load_file(tmp_path / "model.safetensors")) == ["head.weight", "shared.weight"]
    again: Any = Pair.from_pretrained(tmp_path)
    assert again.inner.weight is again.shared.weight
    assert torch.equal(again.head.weight, model.head.weight)
