"""A toy family whose model adds up character codes, and a toy task that asks it to."""

import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from modelry.configuration import ModelConfig
from modelry.model import PreTrainedModel
from modelry.pipelines import Pipeline, TaskParameters
from modelry_registry import ModelFamily, Registry, Task, get_registry, use_registry

POISON = "!"


class AdderConfig(ModelConfig):
    model_type: Literal["toy-adder"] = "toy-adder"
    hidden_size: int = 1


class AdderModel(PreTrainedModel):
    """(B, T) ids and mask to the sum of each row; refuses rows that hold the poison."""

    config_class = AdderConfig

    def __init__(self, config: AdderConfig) -> None:
        super().__init__(config)
        self.factor = nn.Parameter(torch.ones(1))
        self.batches: list[tuple[int, ...]] = []

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        self.batches.append(tuple(input_ids.shape))
        if (input_ids == ord(POISON)).any():
            raise RuntimeError("poison")
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        return {"sum": (input_ids * mask).sum(1) * self.factor}


class AdderParameters(TaskParameters):
    scale: float = 1.0
    words: bool = False


class AdderPipeline(Pipeline[AdderParameters]):
    parameters_class = AdderParameters

    def preprocess(self, item: Any, parameters: AdderParameters) -> Mapping[str, Any]:
        if not isinstance(item, str):
            raise TypeError(f"a text is needed, found {type(item).__name__}")
        return {"input_ids": torch.tensor([ord(letter) for letter in item]), "text": item}

    def pieces(self, item: Any, parameters: AdderParameters) -> Iterator[Mapping[str, Any]]:
        for part in item.split() if parameters.words else [item]:
            yield self.preprocess(part, parameters)

    def merge(self, outputs: Any, parameters: AdderParameters) -> Any:
        return (
            [super(AdderPipeline, self).merge([one], parameters) for one in outputs]
            if parameters.words
            else (super().merge(outputs, parameters))
        )

    def postprocess(self, output: dict[str, Any], parameters: AdderParameters) -> Any:
        return {"text": output["text"], "sum": float(output["sum"]) * parameters.scale}


@pytest.fixture
def adder() -> AdderPipeline:
    return AdderPipeline(AdderModel(AdderConfig()), task="add")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry that also has the family `toy-adder` and the task `add`."""
    module = ModuleType("toy_adder")
    for kind in (AdderConfig, AdderModel, AdderPipeline):
        setattr(module, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "toy_adder", module)
    registry = get_registry().extended(
        ModelFamily(model_type="toy-adder", config="toy_adder:AdderConfig", heads={"base": "toy_adder:AdderModel"}),
        Task(name="add", pipeline="toy_adder:AdderPipeline", heads=("base",)),
        Task(name="spell", pipeline="toy_adder:AdderPipeline", heads=("causal-lm",), preprocessors=("tokenizer",)),
    )
    with use_registry(registry):
        yield registry


@pytest.fixture
def toy_model() -> PreTrainedModel:
    return AdderModel(AdderConfig())
