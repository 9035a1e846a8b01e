"""Drafts for models with an encoder: of another with one of its own, of a decoder that looks at the same output, and
from what the encoder has read. Texts are those of plain decoding.
"""

from functools import cache
from typing import ClassVar

import pytest
import torch
from torch import nn

from modelry.errors import GenerationError
from modelry.generation import BaseStreamer
from modelry.heads import BiasedSeq2SeqLM, TextDecoder, TextEncoder, TextToTextModel
from modelry.heads.decoder_lm import DecoderLM
from modelry.nn.encoder_decoder_config import EncoderDecoderConfig

SIZES = {
    "vocab_size": 24, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "max_position_embeddings": 64,
    "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 2,
}  # fmt: skip


class Encoder(TextEncoder):
    config_class = EncoderDecoderConfig

    def __init__(self, config):
        super().__init__(config, norm_first=True)


class Decoder(TextDecoder):
    config_class = EncoderDecoderConfig

    def __init__(self, config):
        super().__init__(config, norm_first=True)


class Both(TextToTextModel):
    config_class = EncoderDecoderConfig
    encoder_class, decoder_class = Encoder, Decoder


class Answering(BiasedSeq2SeqLM):
    base_class = Both


class Alone(DecoderLM):
    base_class = Decoder
    loss_type: ClassVar[str] = "ForCausalLM"


@cache
def answering(seed, noise=0.0, **changes):
    """With noise, a model whose tokens are often those of the one without."""
    torch.manual_seed(seed)
    made = Answering(EncoderDecoderConfig(**{**SIZES, **changes})).eval()
    for parameter in made.parameters():
        if parameter.dim() > 1:
            nn.init.normal_(parameter, std=0.4)
    made.final_logits_bias.copy_(noise * torch.randn(made.final_logits_bias.shape))
    return made


@cache
def alone(seed):
    """The decoder of `answering(seed)` by itself."""
    made = Alone(EncoderDecoderConfig(**SIZES)).eval()
    made.model.decoder.load_state_dict(answering(seed).get_decoder().state_dict())
    made.lm_head.weight = made.model.decoder.embed_tokens.weight
    return made


def questions(seed):
    draws = torch.Generator().manual_seed(seed)
    mask = (torch.arange(9) < torch.tensor([[9], [4], [7]])).long()
    return torch.randint(3, 24, (3, 9), generator=draws) * mask, mask


WAYS = {
    "with an encoder": lambda seed: {"assistant_model": answering(seed, 0.3), "num_assistant_tokens": 4},
    "a decoder": lambda seed: {"assistant_model": alone(seed), "num_assistant_tokens": 4},
    "the model itself": lambda seed: {"assistant_model": answering(seed), "num_assistant_tokens": 4},
    "lookup": lambda seed: {"prompt_lookup_num_tokens": 4},
}
SHAPES = [
    {"eos_token_id": [1, 5]},
    {"eos_token_id": None, "repetition_penalty": 1.3, "suppress_tokens": [9]},
    {"eos_token_id": None, "use_cache": False},
]


@pytest.mark.parametrize("options", SHAPES)
@pytest.mark.parametrize("name", WAYS)
def test_same_as_greedy_alone_and_in_batches(name, options):
    accepted = 0
    for seed in range(2):
        ids, mask = questions(seed)
        for rows in (1, 3):
            call = {"attention_mask": mask[:rows], "max_new_tokens": 12, "pad_token_id": 0, **options}
            plain = answering(seed).generate(ids[:rows], **call)
            found = answering(seed).generate(ids[:rows], **call, **WAYS[name](seed), return_dict_in_generate=True)
            assert found.sequences.tolist() == plain.tolist()
            accepted += found.statistics["accepted"]
    assert accepted > 0


@pytest.mark.parametrize("name", ["the model itself", "a decoder"])
def test_a_perfect_draft_is_accepted_whole(name):
    """So is the padding of the encoder's input seen, and the order of several texts for a question kept."""
    ids, mask = questions(4)
    found = answering(4).generate(
        ids, attention_mask=mask, do_sample=True, num_return_sequences=2, seed=1, max_new_tokens=11, eos_token_id=None,
        assistant_confidence_threshold=0.0, return_dict_in_generate=True, output_scores=True, output_logits=True,
        **WAYS[name](4),
    )  # fmt: skip
    assert found.sequences.shape == (6, 12)
    assert found.statistics["acceptance_rate"] == 1.0
    assert found.statistics["passes"] == 2
    assert len(found.scores) == len(found.logits) == 11
    own = answering(4)(
        ids.repeat_interleave(2, dim=0), mask.repeat_interleave(2, dim=0), decoder_input_ids=found.sequences[:, :-1]
    ).logits
    torch.testing.assert_close(torch.stack(found.logits, dim=1), own, atol=1e-4, rtol=1e-4)


def test_the_output_of_one_encoder_is_shared():
    """A draft with the model's own encoder does not read the input again."""
    other = answering(5, 0.2)
    twin = Answering(other.config).eval()
    twin.load_state_dict(other.state_dict())
    twin.model.encoder = answering(5).model.encoder
    runs = []
    handle = twin.model.encoder.register_forward_hook(lambda *_: runs.append(1))
    ids, mask = questions(5)
    answering(5).generate(ids, attention_mask=mask, max_new_tokens=8, assistant_model=twin)
    handle.remove()
    assert len(runs) == 1


def test_streams_one_row():
    class Heard(BaseStreamer):
        def __init__(self):
            self.parts = []

        def put(self, value):
            self.parts += value.flatten().tolist()

        def end(self):
            self.parts.append("end")

    heard, (ids, _) = Heard(), questions(2)
    found = answering(2).generate(ids[:1], max_new_tokens=9, streamer=heard, **WAYS["with an encoder"](2))
    assert heard.parts == [*found[0].tolist(), "end"]


def test_sampled_tokens_follow_the_model():
    """The first two tokens of many texts, against the probabilities of all pairs; seeds fixed."""
    ids, count = questions(3)[0][:1], 1500
    model = answering(3)
    found = model.generate(
        ids, do_sample=True, top_k=0, num_return_sequences=count, max_new_tokens=3, eos_token_id=None, seed=5,
        temperature=1.5, assistant_model=answering(3, 0.8), num_assistant_tokens=2, return_dict_in_generate=True,
    )  # fmt: skip
    assert 0.1 < found.statistics["acceptance_rate"] < 0.95
    begin = torch.full((24, 1), 2)
    begin = torch.cat((begin, torch.arange(24)[:, None]), dim=1)
    odds = (model(ids.expand(24, -1), decoder_input_ids=begin).logits.detach() / 1.5).softmax(-1).double()
    expected = (odds[0, 0][:, None] * odds[:, 1]).flatten() * count
    seen = (found.sequences[:, 1] * 24 + found.sequences[:, 2]).bincount(minlength=24 * 24).double()
    often = expected >= 5
    expected = torch.cat((expected[often], expected[~often].sum()[None]))
    seen = torch.cat((seen[often], seen[~often].sum()[None]))
    degrees = len(expected) - 1
    assert float(((seen - expected) ** 2 / expected).sum()) < degrees + 3.1 * (2 * degrees) ** 0.5


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"assistant_model": answering(0, vocab_size=30)}, "vocabulary of 30 tokens, and the model one of 24.*encoder"),
        ({"assistant_early_exit": 1}, "its first layers are not left early: use assistant_model"),
        ({"encoder_outputs": (torch.zeros(1, 4, 16),), "input_ids": None}, "reads no encoder_outputs.*give input_ids"),
        ({"inputs_embeds": torch.zeros(1, 4, 16), "input_ids": None}, "encoder_outputs or embeddings of another"),
    ],
)
def test_refused(options, match):
    given = {"input_ids": questions(0)[0][:1], "max_new_tokens": 3, "strategy": "speculative", **options}
    if "assistant_early_exit" not in given:
        given.setdefault("assistant_model", answering(0, 0.3))
    with pytest.raises(GenerationError, match=match):
        answering(0).generate(**given)


def test_a_decoder_for_another_encoder_or_for_none(llama):
    ids = questions(0)[0]
    with pytest.raises(GenerationError, match="one with encoder_layers 1, and that of Answering has 2"):
        answering(0, encoder_layers=2).generate(ids, assistant_model=alone(0))
    with pytest.raises(GenerationError, match="LlamaForCausalLM looks at no encoder's output"):
        answering(0).generate(ids, assistant_model=llama(0))
