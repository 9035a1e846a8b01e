"""Divisors to the published numbers and back; what cannot be told is an error."""

import math

import pytest

from modelry.errors import CheckpointError
from modelry_gguf.facts import Facts
from modelry_gguf.metadata import Value
from modelry_gguf.rotary import llama3_divisors, scaling_of_divisors, scaling_of_facts

PUBLISHED = {  # Llama 3.1 and 3.2, config.json
    "3.1": {"factor": 8.0, "low": 1.0, "high": 4.0, "original_context": 8192.0},
    "3.2": {"factor": 32.0, "low": 1.0, "high": 4.0, "original_context": 8192.0},
}


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("width", [64, 128])
def test_published_numbers_come_back(name: str, width: int) -> None:
    numbers = PUBLISHED[name]
    divisors = llama3_divisors(theta=500000.0, width=width, **numbers)
    assert scaling_of_divisors(divisors, theta=500000.0, width=width, context=131072, where="a file") == {
        "rope_type": "llama3",
        "factor": numbers["factor"],
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }


def test_other_divisors_are_listed() -> None:
    divisors = [1.0, 1.5, 3.0, 2.0]
    scaling = scaling_of_divisors(divisors, theta=10000.0, width=8, context=4096, where="a file")
    assert scaling["rope_type"] == "longrope"
    assert scaling["short_factor"] == scaling["long_factor"] == divisors
    assert scaling["attention_factor"] == 1.0


def test_divisors_of_one_say_nothing() -> None:
    assert scaling_of_divisors([1.0] * 4, theta=1e4, width=8, context=64, where="a file") == {"rope_type": "default"}


@pytest.mark.parametrize(
    ("divisors", "words"), [([1.0], "needs 4"), ([1.0, 0.0, 1.0, 1.0], "positive"), ([math.nan] * 4, "positive")]
)
def test_impossible_divisors(divisors: list[float], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        scaling_of_divisors(divisors, theta=10000.0, width=8, context=64, where="a file")


def scaling(short: list[float] | None = None, long: list[float] | None = None, **values: Value) -> dict[str, object]:
    facts = Facts({f"llama.rope.{key.replace('__', '.')}": value for key, value in values.items()}, "a file")
    return scaling_of_facts(facts, "llama", context=4096, short=short, long=long)


def test_metadata() -> None:
    assert scaling() == {"rope_type": "default"}
    assert scaling(scaling__type="none") == {"rope_type": "default"}
    assert scaling(scale_linear=2.0) == {"rope_type": "linear", "factor": 2.0}
    yarn = scaling(
        scaling__type="yarn", scaling__factor=4.0, scaling__original_context_length=1024, scaling__attn_factor=2.0,
        scaling__yarn_beta_fast=16.0,
    )  # fmt: skip
    assert yarn == {
        "rope_type": "yarn",
        "factor": 4.0,
        "original_max_position_embeddings": 1024,
        "beta_fast": 16.0,
        "attention_factor": 2 * (1 + 0.1 * math.log(4)),
    }
    listed = scaling([1.0], [2.0], scaling__type="longrope", scaling__original_context_length=1024)
    assert listed == {
        "rope_type": "longrope",
        "short_factor": [1.0],
        "long_factor": [2.0],
        "original_max_position_embeddings": 1024,
    }


def test_metadata_that_say_too_little() -> None:
    with pytest.raises(CheckpointError, match="'ntk' is unknown"):
        scaling(scaling__type="ntk", scaling__factor=2.0)
    with pytest.raises(CheckpointError, match="factor above 0"):
        scaling(scaling__type="yarn")
    with pytest.raises(CheckpointError, match="longrope"):
        scaling(scaling__type="longrope")
