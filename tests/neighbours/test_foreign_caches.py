"""Caches of other packages are understood by the shape that they have; an architecture's own is left alone."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from modelry.foreign_caches import own_cache


@pytest.fixture
def model(tiny: Callable[..., Any]) -> Any:
    return tiny("ForCausalLM", "llama")


@torch.no_grad()
def test_keys_and_values_of_another_package(model: Any) -> None:
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    own = model(input_ids=ids[:, :3], use_cache=True).past_key_values
    held = [SimpleNamespace(keys=layer.keys[:, :, :3], values=layer.values[:, :, :3]) for layer in own]
    out = model(input_ids=ids[:, 3:], past_key_values=SimpleNamespace(layers=held))
    assert torch.allclose(out.logits, model(input_ids=ids).logits[:, 3:], atol=1e-5)
    assert out.past_key_values.seen == 5


def test_what_is_none(model: Any) -> None:
    strange = SimpleNamespace(layers=[SimpleNamespace(state=1)])
    assert own_cache(strange) is strange
    cache = model.make_cache()
    assert own_cache(cache) is cache
    with pytest.raises(TypeError, match="past_key_values is a tuple: give the Cache of an earlier result"):
        model(input_ids=torch.tensor([[1]]), past_key_values=((torch.ones(1), torch.ones(1)),))
