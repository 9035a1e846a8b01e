"""Tiny models, and their tensors moved to a GPU."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from modelry import AutoConfig, AutoModelForCausalLM
from modelry_testing import ModelContract

SIZES: dict[str, Any] = {
    "vocab_size": 128,
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "eos_token_id": None,
}


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two layers, in a folder."""
    return saved(tmp_path_factory.mktemp("llama"), "llama", num_hidden_layers=2)


@pytest.fixture(scope="session")
def one_layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of one layer, in a folder."""
    return saved(tmp_path_factory.mktemp("one_layer"), "llama", num_hidden_layers=1)


@pytest.fixture(scope="session")
def mixtral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture of four experts, in a folder."""
    folder = tmp_path_factory.mktemp("mixtral")
    return saved(folder, "mixtral", num_hidden_layers=1, num_local_experts=4, num_experts_per_tok=2)


def saved(folder: Path, family: str, **sizes: Any) -> Path:
    """A model with random weights, in a folder."""
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SIZES, **sizes)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def moved() -> Any:
    """Every tensor of a nested value on a device."""

    def to(value: Any, device: str = "cuda:0") -> Any:
        return tree_map(lambda one: one.to(device) if isinstance(one, Tensor) else one, value)

    return to


@pytest.fixture(scope="session")
def subjects() -> Any:
    """The contract's subjects of one family's tests: tiny models, inputs, labels."""

    def of(path: Path) -> list[Any]:
        sys.path.insert(0, str(path.parent))
        try:
            spec = importlib.util.spec_from_file_location(f"contract_of_{path.parents[1].name}", path)
            assert spec is not None
            assert spec.loader is not None
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        finally:
            sys.path.remove(str(path.parent))
        families = (one for one in vars(module).values() if isinstance(one, type) and issubclass(one, ModelContract))
        return [one().subject() for one in families if one.model_type]

    return of
