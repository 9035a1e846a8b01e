"""The first layers are a model of their own that shares all weights and leaves the whole one as it is."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry_llama import LlamaConfig, LlamaForCausalLM
from modelry_speculative.early_exit import first_layers

IDS = torch.tensor([[1, 2, 3, 4]])


def test_equal_to_a_model_of_those_layers(llama):
    whole = llama(0)
    before = whole(IDS).logits
    short = first_layers(whole, 2)
    built = LlamaForCausalLM(LlamaConfig(**{**whole.config.to_dict(), "num_hidden_layers": 2}))
    built.load_state_dict({name: value for name, value in whole.state_dict().items() if "layers.2." not in name})
    torch.testing.assert_close(short(IDS).logits, built(IDS).logits)
    assert len(short.make_cache()) == 2
    assert short.lm_head is whole.lm_head
    assert short.model.layers[0] is whole.model.layers[0]
    torch.testing.assert_close(whole(IDS).logits, before)
    assert whole.config.num_hidden_layers == len(whole.model.layers) == 3


@pytest.mark.parametrize("count", [3, 4])
def test_too_many_layers(llama, count):
    with pytest.raises(GenerationError, match=f"assistant_early_exit={count} .* at most 2"):
        first_layers(llama(0), count)


def test_no_list_of_layers(llama):
    with pytest.raises(GenerationError, match="no list of layers"):
        first_layers(llama(0).model, 1)
