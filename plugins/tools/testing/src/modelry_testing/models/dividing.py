"""The tensor-parallel plan: it names what is there, in words that fit, and every matrix of a layer is spoken of."""

import re

import pytest
from torch import nn

from modelry import ModelConfig, PreTrainedModel
from modelry.checkpoint.skeleton import without_values
from modelry.errors import ParallelError
from modelry.parallel import plan_of
from modelry.parallel.deciding import decide
from modelry.parallel.plan import matching, named_by
from modelry_testing.errors import ContractBroken
from modelry_testing.models.subject import Subject


def plan(subject: Subject) -> None:
    """Every pattern names something in some head; in each head all linear layers of the numbered ones are named.

    Whether results are the same is shown by running several processes, which this check does not.
    """
    config = subject.config()
    models = [_without_values(subject.head_class(head), config) for head in subject.family.heads]
    if not any(plan_of(model) for model in models):
        pytest.skip(
            f"{type(config).__name__} declares no base_model_tp_plan: its models are not divided over processes"
        )
    lost = set(config.tp_plan)
    for model in models:
        words = plan_of(model)
        names = [*dict(model.named_modules()), *(name for name, _ in model.named_parameters(remove_duplicate=False))]
        try:
            named = named_by(words, names, model=type(model).__name__, strict=False) if words else {}
            decide(model, named, 1)
        except ParallelError as error:
            raise ContractBroken(str(error)) from error
        _every_layer(model, named)
        there = [pattern for pattern in words if matching(pattern, names)]
        lost -= {pattern for pattern in lost if any(one == pattern or one.endswith(f".{pattern}") for one in there)}
    if lost:
        raise ContractBroken(f"the tensor-parallel plan names {', '.join(sorted(lost))}, which no head has")


def _without_values(kind: type[PreTrainedModel], config: ModelConfig) -> PreTrainedModel:
    with without_values():
        return kind(config)


def _every_layer(model: PreTrainedModel, named: dict[str, str]) -> None:
    """Of the lists of layers that a plan speaks of, every linear layer."""
    listed = {re.split(r"\.\d+\.", name)[0] for name in named if re.search(r"\.\d+\.", name)}
    left = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and name not in named and re.split(r"\.\d+\.", name)[0] in listed
    ]
    if left:
        raise ContractBroken(
            f"the tensor-parallel plan of {type(model).__name__} does not speak of {', '.join(left[:5])}: say how each "
            'is divided, or "replicated"'
        )
