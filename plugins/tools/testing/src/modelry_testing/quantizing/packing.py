"""How a scheme packs: near the float model, in the bits it declares, the same every time."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from pydantic import BaseModel

from modelry.errors import QuantizationError
from modelry.quantization import Quantizer, build_quantizer
from modelry_registry import resolve
from modelry_testing.errors import ContractBroken
from modelry_testing.quantizing.subject import Subject, bits

BFLOAT16_ERROR = 0.05


def parameters(subject: Subject, impossible: Iterable[Mapping[str, Any]]) -> None:
    """The references are what they should be; to_config builds an equal scheme; impossible values are refused."""
    spec = subject.spec
    for reference, expected in ((spec.parameters, BaseModel), (spec.quantizer, Quantizer)):
        found = resolve(reference)
        if not (isinstance(found, type) and issubclass(found, expected)):
            raise ContractBroken(f"{reference} is not a {expected.__module__}.{expected.__name__}")
    built = build_quantizer(subject.config, where="the contract")
    if built.method != spec.name:
        raise ContractBroken(
            f"{type(built).__name__}.method is {built.method!r}, and the scheme is registered as {spec.name!r}"
        )
    again = build_quantizer(built.to_config(), where="to_config()")
    if type(again) is not type(built) or again.parameters != built.parameters:
        raise ContractBroken(f"to_config() gives {built.to_config()!r}, which builds another scheme")
    for changes in impossible:
        try:
            build_quantizer({**subject.config, **changes}, where="the contract")
        except QuantizationError as error:
            if not any(key in str(error) for key in changes):
                raise ContractBroken(f"{dict(changes)!r} is refused without naming it: {error}") from error
        else:
            raise ContractBroken(f"{spec.name} accepts {dict(changes)!r}: refuse what is impossible")


def loads(subject: Subject) -> None:
    """Finite logits, something replaced, config.quantization_config set."""
    model = subject.packed_model
    if not torch.isfinite(subject.logits(model)).all():
        raise ContractBroken(f"{subject.spec.name} gives logits that are not finite")
    if not subject.replaced():
        raise ContractBroken(f"{subject.spec.name} replaces no layer of {type(model).__name__}")
    said = (model.config.quantization_config or {}).get("quant_method")
    if said != subject.spec.name:
        raise ContractBroken(f"a model loaded with {subject.spec.name} says quant_method {said!r}")


def error(subject: Subject, largest: float) -> None:
    """Relative distance of all logits."""
    expected, found = subject.logits(subject.float_model), subject.logits(subject.packed_model)
    apart = float((found - expected).norm() / expected.norm())
    if not apart <= largest:
        raise ContractBroken(
            f"logits of {subject.spec.name} are {apart:.3g} away from float32, and {largest} is allowed"
        )
    if apart == 0:
        raise ContractBroken(f"logits of {subject.spec.name} are those of float32: nothing is quantized")


def size(subject: Subject, spare: float) -> None:
    """Bits a weight, over all replaced layers."""
    replaced = subject.replaced().values()
    floats = [dict(old.named_parameters(recurse=False)) for old, _ in replaced]
    weights = sum(one["weight"].numel() for one in floats if "weight" in one)
    biases = sum(32 * one["bias"].numel() for one in floats if "bias" in one)
    taken = (sum(bits(new) for _, new in replaced) - biases) / weights
    declared = max(subject.spec.bits) if subject.spec.bits else 16
    if taken > declared + spare:
        raise ContractBroken(
            f"packed layers take {taken:.2f} bits a weight; {subject.spec.name} declares {declared}, "
            f"and {spare} more are allowed"
        )


def determinism(subject: Subject) -> None:
    """The same bits from another load, whatever the random state."""
    torch.manual_seed(11)
    first, second = subject.packed_model.state_dict(), subject.load().state_dict()
    changed = [name for name, one in first.items() if name not in second or not torch.equal(one, second[name])]
    if changed:
        raise ContractBroken(f"packing twice gives different bits in {', '.join(changed)}")
    if not subject.parameters:
        by_name = subject.load(quantization=subject.spec.name)
        if not torch.equal(subject.logits(by_name), subject.logits(subject.packed_model)):
            raise ContractBroken(f"quantization={subject.spec.name!r} and a quantization_config give different models")


def bfloat16(subject: Subject, largest: float) -> None:
    """Loaded with dtype="bfloat16"."""
    model = subject.load(dtype="bfloat16")
    expected, found = subject.logits(subject.float_model), subject.logits(model)
    apart = float((found - expected).norm() / expected.norm())
    if not apart <= largest + BFLOAT16_ERROR:
        raise ContractBroken(
            f"in bfloat16 the logits are {apart:.3g} away from float32's, and {largest + BFLOAT16_ERROR} is allowed"
        )
