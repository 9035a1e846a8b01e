"""Beam search over an encoder-decoder model: a tiny random T5 of transformers, driven by both."""

from types import SimpleNamespace

import pytest
import torch
import transformers
from torch import nn

from modelry.generation import GenerationConfig, generate

IDS = torch.tensor([[5, 9, 3, 4], [6, 2, 1, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


class Config(SimpleNamespace):
    def get_text_config(self):
        return self


class Lent(nn.Module):
    """The same model, with what a session asks of one."""

    def __init__(self, t5):
        super().__init__()
        self.t5 = t5
        self.config = Config(
            model_type="lent", vocab_size=12, is_encoder_decoder=True, bos_token_id=None, eos_token_id=1,
            pad_token_id=0, decoder_start_token_id=0,
        )  # fmt: skip
        self.generation_config = GenerationConfig.from_model_config(self.config)
        self.device = torch.device("cpu")

    def get_encoder(self):
        return self.t5.get_encoder()

    def get_input_embeddings(self):
        return self.t5.get_input_embeddings()

    def forward(self, input_ids=None, attention_mask=None, encoder_outputs=None, decoder_input_ids=None, **_):
        outputs = transformers.modeling_outputs.BaseModelOutput(encoder_outputs.last_hidden_state)
        return self.t5(
            encoder_outputs=outputs, attention_mask=attention_mask, decoder_input_ids=decoder_input_ids, use_cache=False
        )


@pytest.fixture(scope="module")
def t5():
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=12, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2, decoder_start_token_id=0,
        initializer_factor=6.0, tie_word_embeddings=False,
    )  # fmt: skip
    return transformers.T5ForConditionalGeneration(config).eval()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("early_stopping", [True, False, "never"])
def test_same_texts_and_scores(t5, seed, early_stopping):
    ids = (IDS + seed) % 12
    options = {
        "num_beams": 4, "num_return_sequences": 2, "max_new_tokens": 8, "eos_token_id": [1, 4], "pad_token_id": 3,
        "early_stopping": early_stopping, "length_penalty": 0.7, "return_dict_in_generate": True,
        "output_scores": True,
    }  # fmt: skip
    theirs = t5.generate(ids, attention_mask=MASK, use_cache=False, **options)
    ours = generate(Lent(t5), ids, attention_mask=MASK, use_cache=False, **options)
    assert ours.sequences.tolist() == theirs.sequences.tolist()
    assert ours.beam_indices.tolist() == theirs.beam_indices.tolist()
    torch.testing.assert_close(ours.sequences_scores, theirs.sequences_scores, rtol=1e-4, atol=1e-5)
