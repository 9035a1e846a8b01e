"""Which layers of a model a quantization scheme may replace, and how messages name them."""

import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterator

from torch import nn

from modelry.checkpoint.matching import of_a_head
from modelry.checkpoint.naming import names_in
from modelry.errors import ModelryWarning, QuantizationError
from modelry.model import PreTrainedModel


def found_layers(model: nn.Module, keep: list[str] | None) -> Iterator[tuple[str, nn.Linear]]:
    """Yield name and layer of every linear layer that is not kept, and that the model does not want in float32.

    Args:
        keep: full names, last parts of names, or names of modules around the layer; None keeps all outside the base
            model, and every projection onto a vocabulary, of which a model may be its own base.
    """
    heads = _heads(model) if keep is None else set()
    wide = model.kept_float32 if isinstance(model, PreTrainedModel) else ()
    for name, part in list(model.named_modules()):
        if not isinstance(part, nn.Linear) or f"{name}.weight" in wide:
            continue
        if id(part) not in heads and not any(_means(one, name) for one in keep or ()):
            yield name, part


def _means(kept: str, name: str) -> bool:
    return name == kept or name.endswith(f".{kept}") or name.startswith(f"{kept}.")


def _heads(model: nn.Module) -> set[int]:
    """Ids of the modules outside the base model, and of those that the models inside it have for heads."""
    found: set[int] = set()
    for part in model.modules():
        if isinstance(part, PreTrainedModel) and id(part) not in found:
            inside = {id(one) for one in part.base_model.modules()}
            found |= {id(one) for one in part.modules()} - inside
            found.add(id(part.get_output_embeddings()))
    return found


def outside_base_model(model: nn.Module) -> list[str]:
    """Names of the linear layers that stay where nobody says which: written down, other readers leave the same ones."""
    packed = {name for name, _ in found_layers(model, None)}
    return [name for name, part in model.named_modules() if isinstance(part, nn.Linear) and name not in packed]


def packed_in_file(model: nn.Module, stored: Collection[str], *, marks: tuple[str, ...], method: str) -> set[str]:
    """The layers that a checkpoint has packed, by their names in the model; none where a float model is to be packed.

    Args:
        stored: names of the checkpoint's tensors; none where only its configuration is known.
        marks: last parts of the names of tensors that packed layers alone have.

    Raises:
        QuantizationError: config.json says that it is packed, and no layer is.
    """
    if not isinstance(model, PreTrainedModel):
        return set()
    names = (name.rpartition(".") for name in names_in(model, stored).values())
    found = {layer for layer, _, part in names if part in marks}
    if not found and stored and (model.config.quantization_config or {}).get("quant_method") == method:
        raise QuantizationError(
            f"config.json says quant_method {method}, and no layer of {type(model).__name__} has a "
            f"{' or '.join(marks)} in the checkpoint"
        )
    return found


def of_another_head(model: nn.Module, name: str) -> bool:
    """Whether a layer that is stored packed is one of a head that this model does not have: the loader passes over its
    tensors, as over float ones, where this model's own head is made anew."""
    if not isinstance(model, PreTrainedModel) or not of_a_head(model, name):
        return False
    return all(name != one for one, _ in model.named_modules())


def refuse_packed(model: nn.Module, method: str, keep: list[str] | None) -> None:
    """Refuse what is packed another way.

    Raises:
        QuantizationError: config.json says another quant_method, or a layer is packed already.
    """
    said = getattr(model, "config", None)
    other = (getattr(said, "quantization_config", None) or {}).get("quant_method", method)
    if other != method:
        raise QuantizationError(f"the checkpoint is quantized with {other} already; load it as it is")
    if getattr(said, "quantization_config", None) is None:  # what a file says may be of another head
        names = [name for name, _ in model.named_modules()]
        unknown = [one for one in keep or () if not any(_means(one, name) for name in names)]
        if unknown:
            warnings.warn(
                f"{method}: no module of {type(model).__name__} is called {' or '.join(unknown)}, which shall not be "
                "packed: a full name, its last part, or that of a module around it is meant",
                ModelryWarning,
                stacklevel=2,
            )
    for name, layer in found_layers(model, keep):
        if not isinstance(layer.weight, nn.Parameter) or not layer.weight.is_floating_point():
            raise QuantizationError(f"{name} is packed already ({type(layer).__name__}) and cannot be packed again")


def in_short(names: list[str]) -> str:
    """Names of layers, those that differ in a number only as one: "layers.*.mlp.down_proj (30 times)"."""
    counts = Counter(re.sub(r"(?<=\.)\d+(?=\.)", "*", name) for name in names)
    return ", ".join(name if count == 1 else f"{name} ({count} times)" for name, count in counts.items())
