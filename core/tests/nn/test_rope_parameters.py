"""Reading rope_parameters, new and old, and refusing what cannot be."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from modelry.errors import ModelryWarning
from modelry.nn.rope_parameters import RopeParameters, published_rope

LLAMA3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}


def test_needs_no_torch() -> None:
    program = "import sys, modelry.nn.rope_parameters; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_only_set_keys_are_written() -> None:
    assert RopeParameters().model_dump() == {"rope_theta": 10000.0, "rope_type": "default"}
    rope = RopeParameters(rope_type="llama3", **LLAMA3)  # type: ignore[arg-type]
    assert rope.model_dump(exclude_none=True) == {"rope_theta": 10000.0, "rope_type": "llama3", **LLAMA3}
    assert RopeParameters(**rope.model_dump()) == rope


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"rope_type": "linear"}, "needs factor"),
        ({"rope_type": "llama3", "factor": 8.0}, "needs low_freq_factor, high_freq_factor, original_max"),
        ({"rope_type": "longrope"}, "needs short_factor, long_factor"),
        ({"rope_type": "spiral"}, "Input should be 'default', 'linear'"),
        ({"rope_type": "linear", "factor": 0.5}, "greater than or equal to 1"),
        ({"rope_theta": 0}, "greater than 0"),
        ({"rope_theta": float("inf")}, "finite number"),
        ({"partial_rotary_factor": 1.5}, "less than or equal to 1"),
        ({"rope_type": "llama3", **LLAMA3, "low_freq_factor": 5.0}, "low_freq_factor 5.0 must be less than"),
        (
            {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 8, "beta_fast": 0.5},
            "beta_fast 0.5 must not be less than beta_slow 1.0",
        ),
    ],
)
def test_refusals(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RopeParameters(**values)


def test_widths() -> None:
    assert RopeParameters(partial_rotary_factor=0.25).rotated_width(80) == 20
    with pytest.raises(ValueError, match=r"head width 5 with partial_rotary_factor 1\.0 rotates 5 values"):
        RopeParameters().rotated_width(5)
    rope = RopeParameters(
        rope_type="longrope", short_factor=[1.0] * 3, long_factor=[1.0] * 4, original_max_position_embeddings=8
    )
    with pytest.raises(ValueError, match="short_factor has 3 values for 4 pairs"):
        rope.rotated_width(8)


def test_unknown_keys_are_kept_and_named() -> None:
    with pytest.warns(ModelryWarning, match="do not know spin"):
        rope = RopeParameters(spin=3)  # type: ignore[call-arg]
    assert rope.model_dump()["spin"] == 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, {"rope_type": "default", "rope_theta": 10000.0}),
        ({"rope_theta": 5e5, "rope_scaling": None}, {"rope_type": "default", "rope_theta": 5e5}),
        (
            {"rope_scaling": {"type": "linear", "factor": 2.0}},
            {"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0},
        ),
        (
            {"rope_scaling": {"type": "su", "long_factor": [1.0]}, "original_max_position_embeddings": 9},
            {"rope_type": "longrope", "rope_theta": 1e4, "long_factor": [1.0], "original_max_position_embeddings": 9},
        ),
        (
            {"rope_parameters": {"rope_type": "yarn", "rope_theta": 5.0}, "max_position_embeddings": 7},
            {"rope_type": "yarn", "rope_theta": 5.0, "original_max_position_embeddings": 7},
        ),
        (
            {"partial_rotary_factor": 0.5, "rope_theta": 3.0},
            {"rope_type": "default", "rope_theta": 3.0, "partial_rotary_factor": 0.5},
        ),
    ],
)
def test_published_spellings(values: dict[str, Any], expected: dict[str, Any]) -> None:
    before = dict(values)
    found = published_rope(values)
    assert found["rope_parameters"] == expected
    assert not {"rope_theta", "rope_scaling", "partial_rotary_factor"} & set(found)
    assert values == before


def test_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="rope_parameters is 'fast'"):
        published_rope({"rope_scaling": "fast"})
