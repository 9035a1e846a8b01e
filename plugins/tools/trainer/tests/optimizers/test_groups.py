"""Which parameters decay: those that do in published trainers."""

import pytest
import torch
from transformers import AutoConfig as PublishedConfig
from transformers import AutoModelForCausalLM as PublishedModel
from transformers import Trainer as PublishedTrainer

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_trainer.optimizers import decayed_names, parameter_groups

TINY = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 50}


@pytest.mark.parametrize("more", [{"model_type": "llama"}, {"model_type": "qwen3", "head_dim": 8}])
def test_as_published(more: dict) -> None:
    values = {**TINY, **more, "num_key_value_heads": 1}
    kind = str(values.pop("model_type"))
    with torch.device("meta"):
        theirs = PublishedModel.from_config(PublishedConfig.for_model(kind, **values))
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **values))
    decayed, still = parameter_groups(model, weight_decay=0.1)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    expected = set(PublishedTrainer.get_decay_parameter_names(None, theirs))  # type: ignore[arg-type]  # it does not look at itself
    assert {names[id(one)] for one in decayed["params"]} == expected
    assert (decayed["weight_decay"], still["weight_decay"]) == (0.1, 0.0)
    matrices = {names[id(one)] for one, said in zip(decayed["params"], decayed["matrix"], strict=True) if said}
    assert matrices == {name for name in expected if ".layers." in name}


def test_frozen_parameters_are_left_out() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.LayerNorm(2))
    model[1].requires_grad_(False)
    model[0].bias.requires_grad_(False)
    (group,) = parameter_groups(model, weight_decay=0.5)
    assert [id(one) for one in group["params"]] == [id(model[0].weight)]
    assert group["matrix"] == [True]


def test_tables_of_biases_stay_and_kernels_in_two_parts_decay() -> None:
    class WeightNormConv1d(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight_g, self.bias = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))

    model = torch.nn.ModuleDict(
        {
            "relative_attention_bias": torch.nn.Embedding(2, 2),
            "conv": WeightNormConv1d(),
            "gn": torch.nn.GroupNorm(1, 2),
        }
    )
    assert decayed_names(model) == ["conv.weight_g"]
