"""Models whose rows must forget equally many positions: an encoder-decoder, and layers with a sliding window."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from modelry.cache import Cache, GrowingLayerCache
from modelry.generation import GenerationConfig, generate
from modelry.outputs import CausalLMOutputWithPast
from modelry_testing.decoding.lent import LentEncoderDecoder

IDS = torch.tensor([[5, 9, 3, 4], [6, 2, 1, 0], [7, 7, 2, 4]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 1]])


@pytest.fixture(scope="module")
def lent():
    return LentEncoderDecoder.random("transformers:T5ForConditionalGeneration")


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("extra", [{}, {"repetition_penalty": 1.2}])
def test_an_encoder_decoder_model(lent, seed, extra):
    options = {"max_new_tokens": 15, "eos_token_id": [1, 4], "use_cache": False, **extra}
    ids = (IDS + seed) % 12
    plain = generate(lent, ids, attention_mask=MASK, **options)
    found = generate(
        lent, ids, attention_mask=MASK, prompt_lookup_num_tokens=3, return_dict_in_generate=True, **options
    )
    assert found.sequences.tolist() == plain.tolist()
    assert found.statistics["drafted"] > 0


class Windowed(nn.Module):
    """Says each token after a table; its configuration has a sliding window, and it looks at the masks it gets."""

    device = torch.device("cpu")

    def __init__(self):
        super().__init__()
        self.config = SimpleNamespace(
            model_type="windowed", vocab_size=9, is_encoder_decoder=False, layer_types=["sliding_attention"]
        )
        self.config.get_text_config = lambda: self.config
        self.generation_config = GenerationConfig(pad_token_id=0)
        self.embedding = nn.Embedding(9, 2)
        self.table = torch.randn(9, 9, generator=torch.Generator().manual_seed(4))
        self.holes = 0

    def get_input_embeddings(self):
        return self.embedding

    def make_cache(self, *, kind="dynamic"):
        return Cache([GrowingLayerCache()])

    def forward(self, input_ids=None, attention_mask=None, past_key_values=None, logits_to_keep=0, **_):
        self.holes += 0 if attention_mask is None else int((attention_mask == 0).sum())
        keys = torch.zeros(*input_ids.shape, 1)[:, None]
        past_key_values.layers[0].extend(keys, keys)
        past_key_values.advance(input_ids.shape[1])
        return CausalLMOutputWithPast(logits=self.table[input_ids[:, -logits_to_keep:]])


def test_a_window_has_no_holes():
    """A window counts columns, so none of them may be forgotten between others."""
    model, ids = Windowed(), torch.tensor([[3, 5, 3], [1, 2, 4], [7, 8, 7]])
    plain = generate(model, ids, max_new_tokens=20)
    found = generate(model, ids, max_new_tokens=20, prompt_lookup_num_tokens=4, return_dict_in_generate=True)
    assert found.sequences.tolist() == plain.tolist()
    assert found.statistics["tokens_per_pass"] > 1
    assert model.holes == 0
