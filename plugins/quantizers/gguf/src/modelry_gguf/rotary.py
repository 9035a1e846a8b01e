"""How a GGUF file says that positions are scaled, told as the rope_parameters of config.json. Plain numbers, no torch.

llama.cpp keeps Llama 3's scaling as a tensor of divisors, one per frequency; config.json keeps the four numbers that
produce it. They are recovered by trying them and comparing all divisors.
"""

import math
from collections.abc import Sequence

from modelry.errors import CheckpointError
from modelry_gguf.facts import Facts

_TOLERANCE = 1e-5  # relative; the divisors are stored in float32


def llama3_divisors(
    *, theta: float, width: int, factor: float, low: float, high: float, original_context: float
) -> list[float]:
    """The divisor of each of the `width // 2` rotary frequencies.

    Source: https://github.com/meta-llama/llama-models/blob/main/models/llama3/model.py (apply_scaling).
    """
    divisors = []
    for pair in range(0, width, 2):
        wavelength = 2 * math.pi * theta ** (pair / width)
        if wavelength < original_context / high:
            divisors.append(1.0)
        elif wavelength > original_context / low:
            divisors.append(factor)
        else:
            smooth = (original_context / wavelength - low) / (high - low)
            divisors.append(1 / ((1 - smooth) / factor + smooth))
    return divisors


def _recover_llama3(divisors: Sequence[float], *, theta: float, width: int) -> dict[str, float] | None:
    """The four numbers behind `divisors`; None where they do not come from Llama 3's formula.

    Only the ratios of the three limits can be seen in the divisors, so low_freq_factor is 1, as in every published
    model, high_freq_factor is 4 first, and the original context a power of two.
    """
    factor = max(divisors)
    if factor <= 1 or min(divisors) < 1 - _TOLERANCE:
        return None
    for high in (4.0, 2.0, 8.0, 16.0, 32.0):
        for exponent in range(5, 24):
            numbers = {"factor": factor, "low": 1.0, "high": high, "original_context": float(1 << exponent)}
            produced = llama3_divisors(theta=theta, width=width, **numbers)
            if all(math.isclose(a, b, rel_tol=_TOLERANCE) for a, b in zip(produced, divisors, strict=True)):
                return numbers
    return None


def scaling_of_divisors(
    divisors: Sequence[float], *, theta: float, width: int, context: int, where: str
) -> dict[str, object]:
    """rope_parameters (without rope_theta) for the tensor rope_freqs.weight.

    Args:
        divisors: one per frequency, `width // 2` of them.
        theta: base of the frequencies.
        width: rotary width, numbers per head.
        context: positions the model was made for.

    Raises:
        CheckpointError: the divisors are of another number, or not positive and finite.
    """
    if len(divisors) != width // 2:
        raise CheckpointError(
            f"{where}: rope_freqs.weight has {len(divisors)} numbers; a head of {width} needs {width // 2}."
        )
    if not all(math.isfinite(one) and one > 0 for one in divisors):
        raise CheckpointError(f"{where}: rope_freqs.weight must be positive; found {min(divisors)} to {max(divisors)}.")
    if all(math.isclose(one, 1, rel_tol=_TOLERANCE) for one in divisors):
        return {"rope_type": "default"}
    numbers = _recover_llama3(divisors, theta=theta, width=width)
    if numbers is not None:
        return {
            "rope_type": "llama3",
            "factor": numbers["factor"],
            "low_freq_factor": numbers["low"],
            "high_freq_factor": numbers["high"],
            "original_max_position_embeddings": int(numbers["original_context"]),
        }
    return _listed(divisors, divisors, context=context, attention_factor=1.0)


def _listed(
    short: Sequence[float], long: Sequence[float], *, context: int, attention_factor: float | None
) -> dict[str, object]:
    """longrope: the variant whose divisors config.json lists one by one, for short and for long texts."""
    listed: dict[str, object] = {
        "rope_type": "longrope",
        "short_factor": list(short),
        "long_factor": list(long),
        "original_max_position_embeddings": context,
    }
    return listed if attention_factor is None else listed | {"attention_factor": attention_factor}


def scaling_of_facts(
    facts: Facts, name: str, *, context: int, short: Sequence[float] | None, long: Sequence[float] | None
) -> dict[str, object]:
    """rope_parameters (without rope_theta) for the metadata of architecture `name`.

    Args:
        context: the model's context_length.
        short, long: the tensors rope_factors_short.weight and rope_factors_long.weight, where the file has them.

    Raises:
        CheckpointError: an unknown type of scaling, or one without its numbers.
    """
    kind = facts.text(f"{name}.rope.scaling.type") or "none"
    factor = facts.number(f"{name}.rope.scaling.factor")
    if factor is None:
        factor = facts.number(f"{name}.rope.scale_linear")
        kind = "linear" if factor is not None and kind == "none" else kind
    original = facts.integer(f"{name}.rope.scaling.original_context_length")
    attention = facts.number(f"{name}.rope.scaling.attn_factor")
    if kind == "longrope" or short is not None or long is not None:
        if short is None or long is None or original is None:
            raise facts.missing(
                "one of rope_factors_short, rope_factors_long, rope.scaling.original_context_length", "longrope"
            )
        return _listed(short, long, context=original, attention_factor=attention)
    if kind == "none" or (kind == "linear" and factor in (None, 0.0, 1.0)):
        return {"rope_type": "default"}
    if factor is None or factor <= 0:
        raise facts.missing(f"{name}.rope.scaling.factor above 0", f"rope scaling {kind!r}")
    if kind == "linear":
        return {"rope_type": "linear", "factor": factor}
    if kind != "yarn":
        raise CheckpointError(
            f"{facts.where}: rope scaling {kind[:100]!r} is unknown; none, linear, yarn and longrope can be read."
        )
    values: dict[str, object] = {"rope_type": "yarn", "factor": factor}
    values["original_max_position_embeddings"] = original if original is not None else context
    for ours, theirs in (("beta_fast", "yarn_beta_fast"), ("beta_slow", "yarn_beta_slow")):
        beta = facts.number(f"{name}.rope.scaling.{theirs}")
        if beta is not None:
            values[ours] = beta
    if attention is not None and attention != 1:
        # llama.cpp multiplies YaRN's own factor by it; config.json's attention_factor stands for the product.
        values["attention_factor"] = attention * (1 + 0.1 * math.log(factor) if factor > 1 else 1.0)
    return values
