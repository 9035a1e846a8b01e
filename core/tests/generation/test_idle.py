"""What a call says and nothing reads is named in a warning."""

import warnings

import pytest

from modelry.errors import ModelryWarning
from modelry.generation import GenerationConfig
from modelry.generation.idle import warn_of_idle

IDLE = [
    ({"length_penalty": 2.0}, r"length_penalty acts with beams \(num_beams\), and this call runs the strategy 'one'"),
    ({"early_stopping": "never"}, "early_stopping acts with beams"),
    ({"diversity_penalty": 0.5, "num_beams": 2}, "diversity_penalty acts with groups of beams"),
    ({"num_assistant_tokens": 4}, "num_assistant_tokens acts with a draft model"),
    ({"speculation_type": "dflash"}, "speculation_type acts with a draft model"),
    ({"assistant_lookbehind": 4}, "assistant_lookbehind has no effect"),
    ({"is_assistant": True}, "is_assistant has no effect"),
    ({"cache_implementation": "static", "use_cache": False}, "cache_implementation has no effect with use_cache=False"),
    ({"output_scores": True}, "output_scores comes back only with return_dict_in_generate=True"),
    ({"assistant_tokenizer": object()}, "assistant_tokenizer acts with assistant_model"),
    ({"negative_prompt_ids": [[1]]}, "negative_prompt_ids acts with guidance_scale"),
]


def say(said, reads=()):
    fields = {name: value for name, value in said.items() if name in GenerationConfig.model_fields}
    beside = {name: value for name, value in said.items() if name not in fields}
    warn_of_idle(GenerationConfig(**fields), fields, strategy="one", reads=reads, beside=beside)


@pytest.mark.parametrize(("said", "message"), IDLE, ids=[message for _, message in IDLE])
def test_it_is_named(said, message):
    with pytest.warns(ModelryWarning, match=message):
        say(said)


def test_what_is_read_neutral_or_off_is_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        say({"length_penalty": 2.0, "early_stopping": True}, reads=("length_penalty", "early_stopping"))
        say({"length_penalty": 1.0, "early_stopping": False, "is_assistant": None, "output_scores": None})
        say({"output_scores": True, "return_dict_in_generate": True, "use_cache": False})
