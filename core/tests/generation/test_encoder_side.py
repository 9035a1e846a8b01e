"""An encoder-decoder model generates through the same session: the encoder runs once, rows of its output are kept."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from modelry.cache import Cache, GrowingLayerCache
from modelry.errors import GenerationError, ModelryWarning
from modelry.generation import GenerationConfig, generate
from modelry.outputs import BaseModelOutput, CausalLMOutputWithPast


class ToySeq2Seq(nn.Module):
    """The decoder adds up its own past and the mean of what the encoder says of the unpadded input."""

    def __init__(self, vocabulary=23, width=6, **config):
        super().__init__()
        values = {"model_type": "toy-seq2seq", "vocab_size": vocabulary, "is_encoder_decoder": True}
        values |= {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0, "decoder_start_token_id": 1}
        self.config = SimpleNamespace(**{**values, **config})
        self.config.get_text_config = lambda: self.config
        self.tokens = nn.Embedding(vocabulary, width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        random = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=random))
        self.generation_config = GenerationConfig.from_model_config(self.config)
        self.encoded = 0

    device = torch.device("cpu")

    def get_input_embeddings(self):
        return self.tokens

    def get_encoder(self):
        def encode(input_ids, attention_mask=None):
            self.encoded += 1
            return BaseModelOutput(last_hidden_state=self.tokens(input_ids) ** 2)

        return encode

    def make_cache(self, *, kind="dynamic"):
        return Cache([GrowingLayerCache()])

    def forward(self, input_ids=None, attention_mask=None, decoder_input_ids=None, encoder_outputs=None,
                past_key_values=None, use_cache=None):  # fmt: skip
        hidden = encoder_outputs.last_hidden_state
        mask = torch.ones(hidden.shape[:2]) if attention_mask is None else attention_mask
        source = (hidden * mask[..., None]).sum(1, keepdim=True) / mask.sum(1)[:, None, None]
        k, new = self.tokens(decoder_input_ids)[:, None], decoder_input_ids.shape[1]
        seen = 0
        if past_key_values is not None:
            seen = past_key_values.seen
            k, _ = past_key_values.layers[0].extend(k, k)
            past_key_values.advance(new)
        past = k[:, 0].cumsum(1)[:, seen : seen + new]
        return CausalLMOutputWithPast(logits=self.head(3 * torch.sin(3 * past) + source))

    def greedy(self, source, count):
        ids = [self.config.decoder_start_token_id]
        for _ in range(count):
            out = self(
                decoder_input_ids=torch.tensor([ids]), encoder_outputs=self.get_encoder()(torch.tensor([source]))
            )
            ids.append(int(out.logits[0, -1].argmax()))
        return ids


@pytest.fixture
def toy():
    return ToySeq2Seq()


@pytest.mark.parametrize("use_cache", [True, False])
def test_greedy_equals_whole_passes(toy, plain_strategy, use_cache):
    source = torch.tensor([[3, 4, 5, 0], [7, 8, 9, 10]])
    found = generate(toy, source, strategy="toy-strategy", max_new_tokens=7, use_cache=use_cache)
    assert toy.encoded == 1
    assert found.tolist() == [toy.greedy([3, 4, 5], 7), toy.greedy([7, 8, 9, 10], 7)]
    options = {"strategy": "toy-strategy", "max_new_tokens": 7, "use_cache": use_cache}
    assert torch.equal(generate(toy, source, attention_mask=(source != 0).long(), **options), found)
    unpadded = generate(toy, source, attention_mask=torch.ones(2, 4), **options)
    assert unpadded.tolist() == [toy.greedy([3, 4, 5, 0], 7), toy.greedy([7, 8, 9, 10], 7)]
    assert not torch.equal(unpadded, found)


def test_rows_are_kept_and_forgotten(toy, strategy):
    def decode(session, parameters):
        session.start(copies=2)
        session.step(torch.tensor([[2, 3]] * 4))
        session.rollback(1)
        session.keep(torch.tensor([3, 0]))
        logits = session.step(torch.tensor([[5], [6]]))
        for row, (source, ids) in enumerate([([7, 8], [1, 2, 5]), ([3, 4], [1, 2, 6])]):
            encoded = toy.get_encoder()(torch.tensor([source]))
            expected = toy(decoder_input_ids=torch.tensor([ids]), encoder_outputs=encoded).logits[0, -1]
            torch.testing.assert_close(logits[row, -1], expected, rtol=1e-5, atol=1e-5)
        session.finish(session.ids)

    with strategy(decode):
        generate(toy, torch.tensor([[3, 4], [7, 8]]), strategy="toy-strategy")


def test_the_answer_may_be_begun_and_the_source_be_penalised(toy, plain_strategy):
    source = torch.tensor([[3, 4, 5]])
    found = generate(toy, source, decoder_input_ids=[[1, 6]], strategy="toy-strategy", max_new_tokens=3)
    assert found[:, :2].tolist() == [[1, 6]]
    found = generate(
        toy, source, strategy="toy-strategy", max_new_tokens=12, encoder_no_repeat_ngram_size=1, output_scores=True,
        return_dict_in_generate=True,
    )  # fmt: skip
    assert all(scores[0, [3, 4, 5]].isneginf().all() for scores in found.scores)


def test_without_a_start_token(plain_strategy):
    with pytest.raises(GenerationError, match="decoder_start_token_id"):
        generate(ToySeq2Seq(decoder_start_token_id=None), torch.tensor([[3]]), strategy="toy-strategy")


class ToySpeech(ToySeq2Seq):
    """The encoder reads vectors instead of ids."""

    main_input_name = "sound"

    def get_encoder(self):
        return lambda sound: BaseModelOutput(last_hidden_state=sound**2)

    def forward(self, sound=None, **more):
        return super().forward(**more)


def test_an_input_that_is_no_ids(plain_strategy):
    toy = ToySpeech()
    words = toy.tokens(torch.tensor([[3, 4, 5], [7, 8, 9]])).detach()
    expected = [ToySeq2Seq().greedy([3, 4, 5], 5), ToySeq2Seq().greedy([7, 8, 9], 5)]
    for given in ({"inputs": words}, {"sound": words}):
        assert generate(toy, **given, strategy="toy-strategy", max_new_tokens=5).tolist() == expected
    with pytest.raises(GenerationError, match="the model reads sound"):
        generate(toy, strategy="toy-strategy")


def test_the_answer_ends_where_the_decoder_has_no_more_positions(plain_strategy):
    source = torch.tensor([[3, 4, 5]])
    toy = ToySeq2Seq(max_position_embeddings=64, max_target_positions=6)
    with pytest.warns(ModelryWarning, match="beyond the 6 positions"):
        assert generate(toy, source, strategy="toy-strategy", max_new_tokens=9).shape == (1, 6)
    with pytest.raises(GenerationError, match="nothing can be generated"):
        generate(toy, source, decoder_input_ids=[[1] * 6], strategy="toy-strategy")
