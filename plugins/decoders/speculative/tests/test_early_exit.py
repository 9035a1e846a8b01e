"""The first layers are a model of their own that shares all weights and leaves the whole one as it is."""

import pytest
import torch

from modelry import AutoModelForImageTextToText
from modelry.errors import GenerationError
from modelry_llama import LlamaConfig, LlamaForCausalLM
from modelry_speculative.early_exit import first_layers
from modelry_testing.toys.seeing_models import save_seeing_model

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


def test_a_decoder_beside_other_parts(tmp_path):
    whole = AutoModelForImageTextToText.from_pretrained(save_seeing_model(tmp_path)).eval()
    short = first_layers(whole, 1)
    assert len(short.make_cache()) == len(short.model.language_model.layers) == 1
    assert short.model.vision_tower is whole.model.vision_tower
    states = whole.model(IDS, output_hidden_states=True).hidden_states
    torch.testing.assert_close(short.model(IDS, output_hidden_states=True).hidden_states[0], states[0])
    torch.testing.assert_close(short(IDS).logits, whole.lm_head(whole.model.language_model.norm(states[1])))
    assert whole.config.text_config.num_hidden_layers == len(whole.model.language_model.layers) == 2


@pytest.mark.parametrize("count", [3, 4])
def test_too_many_layers(llama, count):
    with pytest.raises(GenerationError, match=f"assistant_early_exit={count} .* at most 2"):
        first_layers(llama(0), count)


def test_no_list_of_layers(llama):
    with pytest.raises(GenerationError, match="no list of layers"):
        first_layers(llama(0).model, 1)
