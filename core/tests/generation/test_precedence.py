"""The call counts before the config given, that before the file, that before the defaults."""

from types import SimpleNamespace

import pytest

from modelry.errors import GenerationError, ModelryWarning
from modelry.generation import GenerationConfig
from modelry.generation.precedence import combined, understood


def model_config(**values):
    config = SimpleNamespace(**{"bos_token_id": None, "eos_token_id": None, "pad_token_id": None, **values})
    config.get_text_config = lambda: config
    return config


def merged(call=None, given=None, stored=None, **config):
    given = None if given is None else GenerationConfig(**given)
    return combined(call or {}, given, GenerationConfig(**(stored or {})), model_config(**config))


def test_the_nearest_source_counts():
    found = merged(
        {"top_p": 0.5, "do_sample": True}, {"top_p": 0.6, "top_k": 6}, {"top_p": 0.7, "top_k": 7, "min_p": 0.1}
    )
    assert (found.top_p, found.top_k, found.min_p, found.temperature) == (0.5, 6, 0.1, 1.0)


def test_none_in_a_call_switches_off_and_elsewhere_says_nothing():
    found = merged({"top_k": None}, {"top_p": None}, {"top_k": 7, "top_p": 0.9})
    assert (found.top_k, found.top_p) == (None, 0.9)


def test_special_tokens_come_from_the_model_at_last():
    assert merged(eos_token_id=5, pad_token_id=6).end_tokens == (5,)
    assert merged(stored={"eos_token_id": [1, 2]}, eos_token_id=5).end_tokens == (1, 2)


def test_lengths_of_a_nearer_source_silence_the_farther_ones():
    found = merged({"max_length": 30}, stored={"max_new_tokens": 5, "min_new_tokens": 2})
    assert (found.max_length, found.max_new_tokens, found.min_new_tokens) == (30, None, 2)
    found = merged({"max_new_tokens": 9}, stored={"max_length": 30})
    assert found.max_new_tokens == 9


def test_both_lengths_at_once_warn():
    with pytest.warns(ModelryWarning, match=r"max_length=30 and max_new_tokens=5 are given; max_new_tokens counts"):
        merged({"max_length": 30, "max_new_tokens": 5})


def test_of_both_smallest_lengths_one_counts():
    with pytest.warns(ModelryWarning, match=r"min_length=9 and min_new_tokens=2 are given; min_new_tokens counts"):
        found = merged({"min_length": 9, "min_new_tokens": 2}, stored={"min_length": 7})
    assert (found.min_length, found.min_new_tokens) == (0, 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"num_return_sequences": 2}, "greedy decoding gives one sequence 2 times"),
        ({"num_return_sequences": 5, "num_beams": 4}, "return at most 4"),
        ({"num_beams": 4, "num_beam_groups": 3}, "not a multiple"),
        ({"do_sample": True, "temperature": 0.0}, "do_sample=False"),
        ({"top_k": -1}, "top_k=-1"),
        ({"min_new_tokens": 9, "max_new_tokens": 5}, "min_new_tokens=9 is more than max_new_tokens=5"),
    ],
)
def test_what_excludes_each_other_is_refused(call, message):
    with pytest.raises(GenerationError, match=message):
        merged(call)


def test_halves_from_two_sources_are_no_error():
    assert merged({"max_new_tokens": 5}, stored={"min_new_tokens": 9}).min_new_tokens == 9
    assert merged({"do_sample": True}, stored={"num_return_sequences": 2}).num_return_sequences == 2


def test_sampling_fields_without_sampling_warn_only_when_the_caller_gave_them():
    with pytest.warns(ModelryWarning, match=r"temperature, top_p act only with do_sample=True"):
        merged({"temperature": 0.5, "top_p": 0.5})
    merged({"do_sample": False}, stored={"temperature": 0.5})
    merged({"penalty_alpha": 0.6, "top_k": 4})


def test_a_config_of_another_package_or_a_dictionary_is_understood():
    foreign = SimpleNamespace(to_dict=lambda: {"max_new_tokens": 3, "top_k": None, "transformers_version": "5"})
    assert understood(foreign).set_fields() == {"max_new_tokens": 3}
    assert understood({"num_beams": 2}).set_fields() == {"num_beams": 2}
    with pytest.warns(ModelryWarning, match="num_beems"):
        understood({"num_beems": 2})
    own = GenerationConfig(top_k=1)
    assert understood(own) is own
    assert understood(None) is None
    for wrong in (3, "beams", object()):
        with pytest.raises(GenerationError, match=r"generation_config is a .*: give a Gen"):
            understood(wrong)
