"""Rotation by angles, and what keeps the frequencies exact. Variants are held against another implementation in the
tests of the families that use them; here, against formulas written out."""

import copy
import math

import pytest
import torch

from modelry.nn.frequencies import attention_factor, inverse_frequencies
from modelry.nn.rope import Angles, RotaryEmbedding, rotate
from modelry.nn.rope_parameters import RopeParameters


def plain(width: int = 8, theta: float = 10000.0) -> list[float]:
    return [theta ** (-2 * i / width) for i in range(width // 2)]


def test_rotation_turns_pairs() -> None:
    rotary = RotaryEmbedding(RopeParameters(), head_width=4, max_positions=100)
    x, positions = torch.randn(2, 3, 5, 4), torch.tensor([[0, 1, 2, 3, 4], [0, 0, 0, 1, 70]])
    out = rotate(x, rotary(positions, torch.float32))
    for row in range(2):
        for place in range(5):
            for pair, frequency in enumerate(plain(4)):
                turn = complex(math.cos(positions[row, place] * frequency), math.sin(positions[row, place] * frequency))
                value = complex(x[row, 1, place, pair], x[row, 1, place, pair + 2]) * turn
                found = complex(out[row, 1, place, pair], out[row, 1, place, pair + 2])
                assert abs(found - value) < 1e-5


def test_part_of_a_head_is_rotated() -> None:
    rotary = RotaryEmbedding(RopeParameters(partial_rotary_factor=0.5), head_width=8, max_positions=100)
    x, angles = torch.randn(1, 2, 3, 8), rotary(torch.arange(3)[None], torch.float32)
    out = rotate(x, angles)
    assert torch.equal(out[..., 4:], x[..., 4:])
    assert torch.equal(out[..., :4], rotate(x[..., :4], angles))


@pytest.mark.parametrize("cast", ["half", "bfloat16", "double"])
def test_frequencies_stay_exact(cast: str) -> None:
    module = torch.nn.Sequential(
        RotaryEmbedding(RopeParameters(), head_width=8, max_positions=100), torch.nn.Linear(2, 2)
    )
    exact = module[0].inv_freq.clone()
    getattr(module, cast)()
    assert module[0].inv_freq.dtype is torch.float32
    assert torch.equal(module[0].inv_freq, exact)
    assert module[0](torch.arange(3)[None], torch.bfloat16).cos.dtype is torch.bfloat16
    assert "0.inv_freq" not in module.state_dict()


def test_built_on_the_meta_device() -> None:
    expected = RotaryEmbedding(RopeParameters(), head_width=8, max_positions=100).inv_freq
    for rope in (RopeParameters(), RopeParameters(rope_type="dynamic", factor=2.0)):
        with torch.device("meta"):
            rotary = RotaryEmbedding(rope, head_width=8, max_positions=100)
        assert torch.equal(rotary.inv_freq, expected)
        assert torch.equal(copy.deepcopy(rotary).inv_freq, expected)
        assert rotary(torch.arange(3)[None], torch.float32).sin.device.type == "cpu"
    rotary.to_empty(device="cpu")
    assert torch.equal(rotary.inv_freq, expected)


def test_linear_divides() -> None:
    rope = RopeParameters(rope_type="linear", factor=4.0)
    found = inverse_frequencies(rope, width=8, max_positions=100, length=500)
    torch.testing.assert_close(found.tolist(), [one / 4 for one in plain()])


def test_dynamic_grows_with_the_text_and_forgets_it() -> None:
    rotary = RotaryEmbedding(RopeParameters(rope_type="dynamic", factor=2.0), head_width=8, max_positions=10)
    short = rotary(torch.arange(10)[None], torch.float32)
    long = rotary(torch.arange(30)[None], torch.float32)
    base = 10000 * (2 * 30 / 10 - 1) ** (8 / 6)
    torch.testing.assert_close(
        long.cos[0, 0, 29, :4].tolist(), [math.cos(29 * one) for one in plain(theta=base)], atol=1e-5, rtol=0
    )
    again = rotary(torch.arange(10)[None], torch.float32)
    assert torch.equal(short.cos, again.cos)


def test_longrope_has_two_sets() -> None:
    rope = RopeParameters(
        rope_type="longrope", short_factor=[1.0] * 4, long_factor=[2.0, 3, 4, 5], original_max_position_embeddings=16
    )
    short = inverse_frequencies(rope, width=8, max_positions=64, length=16)
    long = inverse_frequencies(rope, width=8, max_positions=64, length=17)
    torch.testing.assert_close(short.tolist(), plain())
    torch.testing.assert_close(long.tolist(), [one / by for one, by in zip(plain(), [2, 3, 4, 5], strict=True)])
    assert attention_factor(rope, max_positions=64) == pytest.approx(math.sqrt(1 + math.log(4) / math.log(16)))
    assert attention_factor(rope, max_positions=16) == 1.0


def test_yarn_temperature() -> None:
    rope = RopeParameters(rope_type="yarn", factor=8.0, original_max_position_embeddings=16)
    assert attention_factor(rope, max_positions=128) == pytest.approx(0.1 * math.log(8) + 1)
    assert attention_factor(rope.model_copy(update={"attention_factor": 0.5}), max_positions=128) == 0.5
    rotary = RotaryEmbedding(rope, head_width=8, max_positions=128)
    assert rotary(torch.zeros(1, 1).long(), torch.float32).cos[0, 0, 0, 0] == pytest.approx(0.1 * math.log(8) + 1)


def test_llama3_leaves_fast_pairs_and_divides_slow_ones() -> None:
    rope = RopeParameters(
        rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=128
    )
    found = inverse_frequencies(rope, width=8, max_positions=1024, length=0).tolist()
    assert found[0] == pytest.approx(1.0)
    assert found[-1] == pytest.approx(plain()[-1] / 8)


def test_angles_are_two_tensors() -> None:
    angles = RotaryEmbedding(RopeParameters(), head_width=8, max_positions=10)(torch.arange(4)[None], torch.float32)
    assert isinstance(angles, Angles)
    assert angles.cos.shape == angles.sin.shape == (1, 1, 4, 8)
