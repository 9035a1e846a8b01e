"""What is special about BERT: segments, tables of positions, two bodies in one class, and what each refuses."""

from collections.abc import Callable

import pytest
import torch

from modelry.errors import GenerationError
from modelry.nn.fuse import fuse_projections
from modelry_bert import BertConfig, BertForMaskedLM, BertForMultipleChoice, BertLMHeadModel, BertModel

Make = Callable[..., BertConfig]
IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])


def test_the_first_segment_is_meant_where_none_is_said(config: Make) -> None:
    model = BertModel.from_config(config()).eval()
    plain = model(IDS).last_hidden_state
    assert torch.equal(model(IDS, token_type_ids=torch.zeros_like(IDS)).last_hidden_state, plain)
    assert not torch.allclose(model(IDS, token_type_ids=torch.ones_like(IDS)).last_hidden_state, plain)


def test_too_many_positions(config: Make) -> None:
    model = BertModel.from_config(config(max_position_embeddings=3))
    with pytest.raises(ValueError, match="the input has 4 positions and the model 3: truncate it"):
        model(IDS)
    with pytest.raises(ValueError, match="the input has 8 positions and the model 3"):
        model(IDS[:, :1], position_ids=torch.tensor([[7], [7]]))


def test_an_encoder_takes_no_cache(config: Make) -> None:
    decoder = BertLMHeadModel.from_config(config(is_decoder=True))
    with pytest.raises(ValueError, match="this BERT is an encoder and has no cache: set is_decoder=True"):
        BertLMHeadModel.from_config(config())(IDS, past_key_values=decoder.make_cache())


@pytest.mark.filterwarnings("ignore:.*goes beyond")
def test_only_a_decoder_generates_with_a_cache(config: Make) -> None:
    encoder = BertLMHeadModel.from_config(config()).eval()
    with pytest.raises(GenerationError, match=r"^this BERT is an encoder .* set is_decoder=True .* use_cache=False"):
        encoder.generate(IDS)
    ids = IDS
    for _ in range(2):
        ids = torch.cat((ids, encoder(ids).logits[:, -1:].argmax(-1)), dim=1)
    assert encoder.generate(IDS, use_cache=False, max_new_tokens=2, eos_token_id=None).tolist() == ids.tolist()
    with pytest.raises(GenerationError, match=r"BertModel .* load .* with AutoModelForCausalLM \(BertLMHeadModel\)$"):
        BertModel.from_config(config()).generate(IDS)


def test_an_encoders_output_needs_cross_attention(config: Make) -> None:
    with pytest.raises(ValueError, match="does not look at an encoder: set is_decoder=True and add_cross_attention"):
        BertModel.from_config(config(is_decoder=True))(IDS, encoder_hidden_states=torch.zeros(2, 3, 32))


@torch.inference_mode()
def test_what_a_decoder_saw_of_an_encoder_is_computed_once(config: Make) -> None:
    model = BertLMHeadModel.from_config(config(is_decoder=True, add_cross_attention=True)).eval()
    encoded, real = torch.randn(2, 5, 32), torch.tensor([[1, 1, 1, 0, 0], [1] * 5])
    seen = {"encoder_hidden_states": encoded, "encoder_attention_mask": real}
    expected = model(IDS, **seen).logits
    cache = model.make_cache()
    first = model(IDS[:, :2], past_key_values=cache, **seen).logits
    encoded.zero_()  # is not read again
    second = model(IDS[:, 2:], past_key_values=cache, **seen).logits
    torch.testing.assert_close(torch.cat((first, second), dim=1), expected, atol=1e-5, rtol=1e-5)
    cache.keep(torch.tensor([1]))
    assert model(IDS[1:, :1], past_key_values=cache, encoder_hidden_states=encoded[1:]).logits.shape[0] == 1


@torch.inference_mode()
def test_projections_in_one_product(config: Make) -> None:
    model = BertModel.from_config(config()).eval()
    expected = model(IDS).last_hidden_state
    assert fuse_projections(model) == 2
    torch.testing.assert_close(model(IDS).last_hidden_state, expected, atol=1e-6, rtol=1e-5)


def test_a_larger_vocabulary_keeps_the_bias_one_tensor(config: Make) -> None:
    model = BertForMaskedLM.from_config(config())
    model.resize_token_embeddings(140)
    predictions = model.cls.predictions
    assert predictions.decoder.bias is predictions.bias
    assert predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    assert model(IDS).logits.shape == (2, 4, 140)


def test_choices_need_their_dimension(config: Make) -> None:
    model = BertForMultipleChoice.from_config(config())
    assert model(IDS[None]).logits.shape == (1, 2)
    with pytest.raises(ValueError, match=r"\(rows, choices, positions\).*found \(2, 4\)"):
        model(IDS)
