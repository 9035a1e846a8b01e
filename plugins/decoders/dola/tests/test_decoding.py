"""Streaming, processors that leave nothing of the contrast, and refusals."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from modelry.errors import GenerationError
from modelry.generation import GenerationConfig, generate
from modelry_testing.decoding.listening import Listener

PROMPT = torch.tensor([[3, 4, 2]])
FIELDS = {"dola_layers": "low", "pad_token_id": 0, "max_new_tokens": 5}


@pytest.mark.parametrize("options", [{}, {"do_sample": True, "seed": 3}])
def test_streams_token_by_token(pair, options):
    ours, _ = pair(0)
    listener = Listener()
    found = ours.generate(PROMPT, streamer=listener, **FIELDS, **options)
    assert listener.heard == [[3, 4, 2], *([token] for token in found[0, 3:].tolist()), "end"]


def test_a_cache_goes_on(pair):
    ours, _ = pair(1)
    whole = ours.generate(PROMPT, **FIELDS)
    first = ours.generate(PROMPT, **{**FIELDS, "max_new_tokens": 2}, return_dict_in_generate=True)
    again = ours.generate(first.sequences, past_key_values=first.past_key_values, **{**FIELDS, "max_new_tokens": 3})
    assert torch.equal(whole, again)


def test_the_likeliest_other_token_where_all_that_count_are_ruled_out(pair):
    ours, _ = pair(2)
    with torch.no_grad():
        shares = ours(input_ids=PROMPT).logits[0, -1].softmax(-1)
    counts = shares >= shares.max() / 10
    assert not counts.all()
    banned = counts.nonzero()[:, 0].tolist()
    for options in ({}, {"do_sample": True, "temperature": 0.01, "top_k": 0}):
        found = ours.generate(PROMPT, **{**FIELDS, "max_new_tokens": 1}, suppress_tokens=banned, **options)
        assert int(found[0, -1]) == int(shares.masked_fill(counts, 0).argmax())


def test_bfloat16(pair):
    ours, _ = pair(3)
    low = type(ours)(ours.config).eval()
    low.load_state_dict(ours.state_dict())
    assert low.to(torch.bfloat16).generate(PROMPT, **FIELDS).shape == (1, 8)


def test_logits_that_are_no_numbers(pair):
    ours, _ = pair(0)
    broken = type(ours)(ours.config).eval()
    nn.init.constant_(broken.lm_head.weight, float("nan"))
    with pytest.raises(GenerationError, match="NaN"):
        broken.generate(PROMPT, **FIELDS)
    with pytest.raises(GenerationError, match="every token is ruled out"):
        ours.generate(PROMPT, suppress_tokens=list(range(14)), **FIELDS)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dola_layers": "middle"}, "dola_layers='middle'"),
        ({"dola_layers": [2]}, r"dola_layers=\[2\]: \[2\] cannot be contrasted .* name some of 0 to 1"),
        ({"dola_layers": []}, "no layer is named"),
        ({"dola_layers": [-1]}, "dola_layers"),
        ({"dola_layers": [0.5]}, "dola_layers"),
        ({"dola_layers": 1}, "dola_layers=1"),
        ({"strategy": "dola", "num_beams": 2}, "num_beams=2: dola follows one text"),
        ({"strategy": "dola", "num_return_sequences": 2}, "num_return_sequences=2 gives one text as many times"),
    ],
)
def test_refusals_before_the_model_runs(pair, options, says):
    ours, _ = pair(0)
    runs = []
    watch = ours.register_forward_pre_hook(lambda *_: runs.append(1))
    with pytest.raises(GenerationError, match=says):
        ours.generate(PROMPT, **{**FIELDS, **options})
    watch.remove()
    assert not runs
    assert ours.generate(PROMPT, **FIELDS).shape == (1, 8)


class Other(nn.Module):
    """A model that dola has no use for; it never runs."""

    device = torch.device("cpu")

    def __init__(self, **config):
        super().__init__()
        values = {"model_type": "other", "vocab_size": 14, "is_encoder_decoder": False, "decoder_start_token_id": 0}
        values |= dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
        self.config = SimpleNamespace(**{**values, **config})
        self.config.get_text_config = lambda: self.config
        self.generation_config = GenerationConfig.from_model_config(self.config)

    def get_input_embeddings(self):
        return nn.Embedding(14, 2)

    def get_output_embeddings(self):
        return None

    def forward(self, input_ids=None):
        raise AssertionError("runs")


@pytest.mark.parametrize(
    ("config", "says"),
    [({"is_encoder_decoder": True}, "Other is an encoder-decoder"), ({}, "Other has no output embedding")],
)
def test_models_that_cannot_be_contrasted(config, says):
    with pytest.raises(GenerationError, match=says):
        generate(Other(**config), PROMPT, use_cache=False, **FIELDS)
