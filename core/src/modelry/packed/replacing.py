"""Which layers of a model a quantization scheme may replace, and how messages name them."""

import re
from collections import Counter
from collections.abc import Iterator

from torch import nn

from modelry.errors import QuantizationError
from modelry.model import PreTrainedModel


def found_layers(model: nn.Module, keep: list[str] | None) -> Iterator[tuple[str, nn.Linear]]:
    """Yield name and layer of every linear layer that is not kept, and that the model does not want in float32.

    Args:
        keep: full names, last parts of names, or names of modules around the layer; None keeps all outside the base
            model.
    """
    base = model.base_model if isinstance(model, PreTrainedModel) else model
    inside = {id(part) for part in base.modules()}
    wide = model.kept_float32 if isinstance(model, PreTrainedModel) else ()
    for name, part in list(model.named_modules()):
        if not isinstance(part, nn.Linear) or f"{name}.weight" in wide:
            continue
        if keep is None:
            kept = id(part) not in inside
        else:
            kept = any(name == one or name.endswith(f".{one}") or name.startswith(f"{one}.") for one in keep)
        if not kept:
            yield name, part


def outside_base_model(model: nn.Module) -> list[str]:
    """Names of the linear layers that stay where nobody says which: written down, other readers leave the same ones."""
    packed = {name for name, _ in found_layers(model, None)}
    return [name for name, part in model.named_modules() if isinstance(part, nn.Linear) and name not in packed]


def refuse_packed(model: nn.Module, method: str, keep: list[str] | None) -> None:
    """Refuse what is packed another way.

    Raises:
        QuantizationError: config.json says another quant_method, or a layer is packed already.
    """
    said = getattr(model, "config", None)
    other = (getattr(said, "quantization_config", None) or {}).get("quant_method", method)
    if other != method:
        raise QuantizationError(f"the checkpoint is quantized with {other} already; load it as it is")
    for name, layer in found_layers(model, keep):
        if not isinstance(layer.weight, nn.Parameter) or not layer.weight.is_floating_point():
            raise QuantizationError(f"{name} is packed already ({type(layer).__name__}) and cannot be packed again")


def in_short(names: list[str]) -> str:
    """Names of layers, those that differ in a number only as one: "layers.*.mlp.down_proj (30 times)"."""
    counts = Counter(re.sub(r"(?<=\.)\d+(?=\.)", "*", name) for name in names)
    return ", ".join(name if count == 1 else f"{name} ({count} times)" for name, count in counts.items())
