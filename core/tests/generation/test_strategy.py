"""The ecosystem's fields choose the strategy, and one that is not installed is named with what asked for it."""

from types import SimpleNamespace

import pytest
import torch

from modelry.errors import GenerationError, RegistryError
from modelry.generation import GenerationConfig, generate
from modelry.generation.precedence import combined
from modelry.generation.strategy import choose_strategy, silenced
from modelry_registry import Registry, get_registry, use_registry

CASES = [
    ({}, "sampling"),
    ({"do_sample": True}, "sampling"),
    ({"num_beams": 1}, "sampling"),
    ({"num_beams": 4}, "beam-search"),
    ({"num_beams": 4, "do_sample": True}, "beam-search"),
    ({"num_beams": 4, "num_beam_groups": 2}, "diverse-beam-search"),
    ({"num_beams": 4, "force_words_ids": [[1]]}, "constrained-beam-search"),
    ({"constraints": ["one"]}, "constrained-beam-search"),
    ({"json_schema": {"type": "integer"}}, "constrained"),
    ({"regex": "a+", "do_sample": True}, "constrained"),
    ({"grammar": "start: ANY"}, "constrained"),
    ({"choices": ["yes", "no"]}, "constrained"),
    ({"penalty_alpha": 0.6, "top_k": 4}, "contrastive-search"),
    ({"penalty_alpha": 0.0}, "sampling"),
    ({"penalty_alpha": 0.6, "do_sample": True}, "sampling"),
    ({"prompt_lookup_num_tokens": 3}, "speculative"),
    ({"assistant_early_exit": 3}, "speculative"),
    ({"dola_layers": "low"}, "dola"),
    ({"strategy": "my-own", "num_beams": 4}, "my-own"),
]


@pytest.mark.parametrize(("fields", "strategy"), CASES)
def test_fields_choose(fields, strategy):
    assert choose_strategy(GenerationConfig(**fields), {})[0] == strategy


def test_an_assistant_chooses():
    assert choose_strategy(GenerationConfig(), {"assistant_model": object()})[0] == "speculative"


@pytest.mark.parametrize(
    ("layer", "silent"),
    [
        ({"dola_layers": "low"}, {"num_beams", "num_beam_groups", "penalty_alpha", "regex", "strategy"}),
        ({"penalty_alpha": 0.6}, {"num_beams", "do_sample", "strategy"}),
        ({"strategy": "sampling"}, {"num_beams", "dola_layers"}),
        ({"assistant_model": object()}, {"num_beams", "dola_layers"}),
    ],
)
def test_a_nearer_source_silences_the_strategies_of_farther_ones(layer, silent):
    assert silent <= silenced(layer)
    assert not silenced(layer) & layer.keys()


@pytest.mark.parametrize(
    "layer", [{}, {"num_beams": 1}, {"penalty_alpha": 0.6, "do_sample": True}, {"strategy": "of-another-plugin"}]
)
def test_what_asks_for_nothing_known_silences_nothing(layer):
    assert not silenced(layer)


def test_beams_of_all_kinds_go_together():
    assert not silenced({"num_beams": 4}) & {"num_beam_groups", "constraints", "force_words_ids"}


@pytest.mark.parametrize(
    ("stored", "call", "strategy"),
    [
        ({"num_beams": 4}, {"dola_layers": "low"}, "dola"),
        ({"num_beams": 4, "do_sample": True}, {"penalty_alpha": 0.6, "top_k": 4}, "contrastive-search"),
        ({"penalty_alpha": 0.6}, {"num_beams": 4}, "beam-search"),
        ({"strategy": "dola"}, {"num_beams": 4}, "beam-search"),
        ({"penalty_alpha": 0.6, "top_k": 4, "do_sample": True}, {}, "sampling"),
        ({"num_beams": 4, "penalty_alpha": 0.6}, {"choices": ["yes"]}, "constrained"),
    ],
)
def test_the_call_decides_over_the_file(toy, stored, call, strategy):
    found = combined(call, None, GenerationConfig(**stored), toy.config)
    assert choose_strategy(found, {})[0] == strategy
    assert not (strategy == "contrastive-search" and found.do_sample)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dola_layers": "low", "num_beams": 2}, "dola_layers asks for the strategy 'dola', and num_beams for 'beam-s"),
        ({"penalty_alpha": 0.6, "do_sample": True}, "'contrastive-search', and do_sample for 'sampling'"),
        ({"strategy": "sampling", "num_beams": 2}, "and strategy='sampling' for 'sampling'"),
    ],
)
def test_two_strategies_in_one_call_are_refused(toy, fields, words):
    with pytest.raises(GenerationError, match=words):
        generate(toy, torch.tensor([[1]]), **fields)
    with pytest.raises(GenerationError, match=words):
        generate(toy, torch.tensor([[1]]), generation_config=GenerationConfig(**fields))
    assert not toy.calls


@pytest.mark.parametrize(
    "fields", [{"strategy": "no-such-strategy"}, {"watermarking_config": {"bias": 2.0}, "strategy": "toy-strategy"}]
)
def test_what_is_not_installed_is_named(toy, strategy, fields):
    name = "watermark" if "watermarking_config" in fields else "no-such-strategy"
    kernel = Registry([one for one in get_registry().candidates if one.distribution == "modelry-core"])
    with (
        use_registry(kernel),
        strategy(lambda session, parameters: None),
        pytest.raises(RegistryError, match=name) as caught,
    ):
        generate(toy, torch.tensor([[1]]), **fields)
    assert next(iter(fields)) in str(caught.value)
    assert not toy.calls


def test_parameters_are_those_of_the_strategy(toy, strategy):
    found = []

    def decode(session, parameters):
        found.append(parameters)
        session.finish(session.start().argmax(-1))

    with strategy(decode):
        generate(toy, torch.tensor([[1]]), strategy="toy-strategy", flavour="sour", num_beams=3)
        with pytest.raises(GenerationError, match=r"toy-strategy refuses flavour=3"):
            generate(toy, torch.tensor([[1]]), strategy="toy-strategy", flavour=3)
        with pytest.raises(GenerationError, match=r"'flavor' \(did you mean flavour\?\)"):
            generate(toy, torch.tensor([[1]]), strategy="toy-strategy", flavor="sour")
    assert (found[0].flavour, found[0].num_beams) == ("sour", 3)


def test_a_strategy_that_cannot_stream_says_so(toy, strategy):
    with (
        strategy(lambda session, parameters: None, streams=False),
        pytest.raises(GenerationError, match="cannot stream"),
    ):
        generate(toy, torch.tensor([[1]]), strategy="toy-strategy", streamer=SimpleNamespace(put=print, end=print))
