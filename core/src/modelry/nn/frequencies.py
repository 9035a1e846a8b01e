"""Inverse frequencies of rotary embeddings, one function for each published variant; on the CPU, in float32.

R rotated width: a row of R/2 frequencies, one for each pair of values.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from modelry.nn.rope_parameters import RopeParameters


def inverse_frequencies(rope: RopeParameters, *, width: int, max_positions: int, length: int) -> Tensor:
    """Radians that each pair turns by from one position to the next.

    Args:
        rope: variant and its numbers.
        width: R.
        max_positions: max_position_embeddings of the configuration.
        length: positions in use, the last one's number plus one; matters to `dynamic` and `longrope` only.

    Returns:
        (R/2,) float32 on the CPU.
    """
    return _VARIANTS[rope.rope_type](rope, width, max_positions, length)


def attention_factor(rope: RopeParameters, *, max_positions: int) -> float:
    """What cosine and sine are multiplied by: the temperature of yarn and longrope, 1 for all others."""
    if rope.rope_type not in ("yarn", "longrope"):
        return 1.0
    if rope.attention_factor is not None:
        return rope.attention_factor
    factor = _growth(rope, max_positions)
    if rope.rope_type == "longrope":
        original = rope.original_max_position_embeddings
        assert original is not None
        return math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
    if rope.mscale and rope.mscale_all_dim:
        return _yarn_temperature(factor, rope.mscale) / _yarn_temperature(factor, rope.mscale_all_dim)
    return _yarn_temperature(factor, 1.0)


def _wavelengths(theta: float, width: int) -> Tensor:
    """theta^(2 i / R): positions per radian of pair i."""
    exponents: Tensor = torch.arange(0, width, 2, dtype=torch.int64, device="cpu").float() / width
    return theta**exponents


def _default(rope: RopeParameters, width: int, max_positions: int, length: int) -> Tensor:
    return 1.0 / _wavelengths(rope.rope_theta, width)


def _linear(rope: RopeParameters, width: int, max_positions: int, length: int) -> Tensor:
    """Position interpolation: Chen et al. 2023, https://arxiv.org/abs/2306.15595."""
    assert rope.factor is not None
    return _default(rope, width, max_positions, length) / rope.factor


def _dynamic(rope: RopeParameters, width: int, max_positions: int, length: int) -> Tensor:
    """A base that grows with the text, once it is longer than in training ("dynamic NTK scaling", 2023)."""
    assert rope.factor is not None
    ratio = rope.factor * max(length, max_positions) / max_positions - (rope.factor - 1)
    return 1.0 / _wavelengths(rope.rope_theta * ratio ** (width / max(width - 2, 1)), width)


def _yarn(rope: RopeParameters, width: int, max_positions: int, length: int) -> Tensor:
    """Interpolate slow pairs, leave fast ones: Peng et al. 2023, https://arxiv.org/abs/2309.00071, section 3.2."""
    original = rope.original_max_position_embeddings
    assert original is not None
    theta = rope.rope_theta

    def pair_with(turns: float) -> float:
        """The pair, as a real number, that turns so often within the original context."""
        return width * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    low, high = pair_with(rope.beta_fast or 32.0), pair_with(rope.beta_slow or 1.0)
    if rope.truncate is not False:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, width - 1)
    if low == high:
        high += 0.001  # a ramp of no length would divide by zero
    ramp = ((torch.arange(width // 2, dtype=torch.float32, device="cpu") - low) / (high - low)).clamp(0, 1)
    wavelengths = _wavelengths(theta, width)
    return ramp / (_growth(rope, max_positions) * wavelengths) + (1 - ramp) / wavelengths


def _llama3(rope: RopeParameters, width: int, max_positions: int, length: int) -> Tensor:
    """Divide slow pairs, leave fast ones, blend between: https://arxiv.org/abs/2407.21783 and Llama 3.1's code."""
    original, factor = rope.original_max_position_embeddings, rope.factor
    low, high = rope.low_freq_factor, rope.high_freq_factor
    assert original is not None
    assert factor is not None
    assert low is not None
    assert high is not None
    plain = _default(rope, width, max_positions, length)
    turns = original * plain / (2 * math.pi)  # within the original context
    blend = ((turns - low) / (high - low)).clamp(0, 1)
    return (1 - blend) * plain / factor + blend * plain


def _longrope(rope: RopeParameters, width: int, max_positions: int, length: int) -> Tensor:
    """A divisor for each pair, one set for short texts and one for long: https://arxiv.org/abs/2402.13753."""
    assert rope.original_max_position_embeddings is not None
    divisors = rope.long_factor if length > rope.original_max_position_embeddings else rope.short_factor
    return 1.0 / (torch.tensor(divisors, dtype=torch.float32, device="cpu") * _wavelengths(rope.rope_theta, width))


def _growth(rope: RopeParameters, max_positions: int) -> float:
    """How much longer the context became, from the two lengths where the file does not say it."""
    assert rope.original_max_position_embeddings is not None
    return rope.factor if rope.factor is not None else max_positions / rope.original_max_position_embeddings


def _yarn_temperature(factor: float, scale: float) -> float:
    return 0.1 * scale * math.log(factor) + 1.0 if factor > 1 else 1.0


_VARIANTS: dict[str, Callable[[RopeParameters, int, int, int], Tensor]] = {
    "default": _default,
    "linear": _linear,
    "dynamic": _dynamic,
    "yarn": _yarn,
    "llama3": _llama3,
    "longrope": _longrope,
}
