"""The first layers of a model as a model of its own: same weights, no copies."""

import copy
from typing import Any

from torch import nn

from modelry.errors import GenerationError


def first_layers(model: Any, count: int) -> Any:
    """A model of the first `count` layers of a decoder, then its last norm and its projection onto the vocabulary.

    Args:
        model: a head over a decoder whose `layers` is a list, or over a model that holds such a decoder beside other
            parts; it stays as it is.
        count: layers.

    Raises:
        GenerationError: there are no more layers than that, or no such list.
    """
    owners, names = _way_to_layers(model)
    layers = getattr(owners[-1], "layers", None) if names else None
    if not isinstance(layers, nn.ModuleList):
        raise GenerationError(
            f"assistant_early_exit={count}: {type(model).__name__} has no list of layers to leave early; "
            "use assistant_model or prompt_lookup_num_tokens"
        )
    if count >= len(layers):
        raise GenerationError(
            f"assistant_early_exit={count} leaves after as many layers as there are, or more: "
            f"the model has {len(layers)}, so at most {len(layers) - 1} make a draft"
        )
    config = owners[-1].config.model_copy(update={"num_hidden_layers": count})
    types = config.__dict__.get("layer_types")
    if types:
        config = config.model_copy(update={"layer_types": list(types)[:count]})
    short = _with_parts(owners[-1], config, layers=layers[:count])
    for owner, name in zip(reversed(owners[:-1]), reversed(names), strict=True):
        short = _with_parts(owner, _with_text(owner.config, config), **{name: short})
    return short


def _way_to_layers(model: Any) -> tuple[list[Any], list[str]]:
    """The model, what it stands on, the decoder in that where it is a part; and the names of all but the first."""
    owners, names = [model], [model.base_model_prefix]
    base = getattr(model, model.base_model_prefix, None)
    if base is None:
        return owners, []
    owners.append(base)
    if not hasattr(base, "layers"):
        kind = model.config.get_text_config().model_type
        for name, part in base.named_children():
            if hasattr(part, "layers") and getattr(getattr(part, "config", None), "model_type", None) == kind:
                return [*owners, part], [*names, name]
    return owners, names


def _with_text(config: Any, text: Any) -> Any:
    """A configuration with another of its language model, which may be itself."""
    whole = config.get_text_config()
    if whole is config:
        return text
    return config.model_copy(
        update={name: text for name in type(config).model_fields if getattr(config, name) is whole}
    )


def _with_parts(module: nn.Module, config: Any, **parts: nn.Module) -> Any:
    """The same module object anew, with other children."""
    twin: Any = copy.copy(module)
    twin.__dict__["_modules"] = {**module._modules, **parts}
    twin.config = config
    return twin
