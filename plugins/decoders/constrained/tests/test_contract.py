"""Constrained decoding keeps the contract of decoding strategies, under a constraint that allows everything."""

from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers

from modelry.preprocessing import Tokenizer
from modelry_testing import DecoderContract


def _letters():
    backend = Backend(models.BPE(vocab={letter: number for number, letter in enumerate("abcdefg")}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return Tokenizer(backend)


ANYTHING = {"regex": "(?s:.*)", "tokenizer": _letters()}


class TestConstrained(DecoderContract):
    name = "constrained"
    parameters = ANYTHING
    follows_greedy = {}  # noqa: RUF012  only read
    impossible = (
        {"choices": ["a"]},
        {"regex": "("},
        {"regex": None, "json_schema": {"type": "number", "minimum": 2, "maximum": 1}},
        {"num_return_sequences": 2},
        {"num_beams": 2},
    )


class TestConstrainedSampling(DecoderContract):
    name = "constrained"
    parameters = {**ANYTHING, "do_sample": True}  # noqa: RUF012  only read
    draws = True
    impossible = ({"num_return_sequences": 10**12},)
