"""What an encoder-decoder model tells beside the text has the names, rows and values of transformers."""

import pytest
import torch
import transformers

from modelry import AutoModelForSeq2SeqLM

IDS = torch.tensor([[8, 4, 7, 9], [5, 6, 7, 9]])
NAMES = (
    "encoder_attentions",
    "encoder_hidden_states",
    "decoder_attentions",
    "cross_attentions",
    "decoder_hidden_states",
)


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    config = transformers.BartConfig(
        vocab_size=24, d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24, init_std=0.6, max_position_embeddings=32,
        decoder_start_token_id=2, forced_eos_token_id=None, eos_token_id=None, bos_token_id=0, pad_token_id=3,
    )  # fmt: skip
    torch.manual_seed(0)
    other = transformers.BartForConditionalGeneration(config).eval()
    other.set_attn_implementation("eager")
    folder = tmp_path_factory.mktemp("bart")
    other.save_pretrained(folder)
    return AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation="eager"), other


@pytest.mark.parametrize("strategy", [{"do_sample": False}, {"num_beams": 2, "do_sample": False}])
def test_as_the_other(both, strategy):
    options = {"max_new_tokens": 4, "return_dict_in_generate": True, "output_hidden_states": True, **strategy}
    ours, theirs = (model.generate(IDS, output_attentions=True, **options) for model in both)
    assert ours.attentions is None
    assert ours.hidden_states is None
    for name in NAMES:
        found, expected = getattr(ours, name), getattr(theirs, name)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("strategy", [{"do_sample": False}, {"num_beams": 3, "do_sample": False}])
def test_an_input_that_is_encoded_already(both, strategy):
    ours, _ = both
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
    expected = ours.generate(IDS, attention_mask=mask, max_new_tokens=4, **strategy)
    encoded = ours.get_encoder()(IDS, attention_mask=mask)
    for given in (encoded, (encoded.last_hidden_state,)):
        found = ours.generate(encoder_outputs=given, attention_mask=mask, max_new_tokens=4, **strategy)
        assert found.tolist() == expected.tolist()
