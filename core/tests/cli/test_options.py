"""Options that `run` and `chat` share."""

from typing import Any

import click
import pytest

from modelry.cli.options import read_parameters, read_placement, read_quantization, read_settings

NONE = {"max_new_tokens": None, "temperature": None, "seed": None, "strategy": None, "settings": ()}


def test_settings_are_json_or_text() -> None:
    given = ["top_k=20", 'stop_strings=["a", "b"]', "prefix=Once upon", "early-stopping=true", "a=b=c"]
    assert read_settings(given) == {
        "top_k": 20,
        "stop_strings": ["a", "b"],
        "prefix": "Once upon",
        "early_stopping": True,
        "a": "b=c",
    }


@pytest.mark.parametrize("given", ["top_k", "=3", ""])
def test_a_setting_without_key_or_value_is_refused(given: str) -> None:
    with pytest.raises(click.UsageError, match="is not KEY=VALUE"):
        read_settings([given])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        ({"max_new_tokens": 3, "seed": 0}, {"max_new_tokens": 3, "seed": 0}),
        ({"temperature": 0.5}, {"temperature": 0.5, "do_sample": True}),
        ({"temperature": 0.0}, {"do_sample": False}),
        ({"temperature": 0.5, "settings": ("do_sample=false",)}, {"temperature": 0.5, "do_sample": False}),
        ({"strategy": "beam-search", "settings": ("num_beams=4",)}, {"strategy": "beam-search", "num_beams": 4}),
    ],
)
def test_parameters(options: dict[str, Any], expected: dict[str, Any]) -> None:
    assert read_parameters(NONE | options) == expected


def test_placement_holds_what_was_given() -> None:
    assert read_placement({"device": "cpu", "dtype": None, "revision": None, "seed": 1}) == {"device": "cpu"}


@pytest.mark.usefixtures("registry")
def test_a_scheme_is_for_the_model() -> None:
    assert read_quantization({"scheme": None, "scheme_settings": ()}) == {}
    found = read_quantization({"scheme": "toy8", "scheme_settings": ("levels=63",)})
    assert found == {"model_kwargs": {"quantization": {"quant_method": "toy8", "levels": 63}}}
