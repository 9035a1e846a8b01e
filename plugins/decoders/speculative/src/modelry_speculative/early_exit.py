"""The first layers of a model as a model of its own: same weights, no copies."""

import copy
from typing import Any

from torch import nn

from modelry.errors import GenerationError


def first_layers(model: Any, count: int) -> Any:
    """A model of the first `count` layers of a decoder, then its last norm and its projection onto the vocabulary.

    Args:
        model: a head over a decoder whose `layers` is a list; it stays as it is.
        count: layers.

    Raises:
        GenerationError: there are no more layers than that, or no such list.
    """
    base = getattr(model, model.base_model_prefix, None)
    layers = getattr(base, "layers", None)
    if base is None or not isinstance(layers, nn.ModuleList):
        raise GenerationError(
            f"assistant_early_exit={count}: {type(model).__name__} has no list of layers to leave early; "
            "use assistant_model or prompt_lookup_num_tokens"
        )
    if count >= len(layers):
        raise GenerationError(
            f"assistant_early_exit={count} leaves after as many layers as there are, or more: "
            f"the model has {len(layers)}, so at most {len(layers) - 1} make a draft"
        )
    config = model.config.model_copy(update={"num_hidden_layers": count})
    types = config.__dict__.get("layer_types")
    if types:
        config = config.model_copy(update={"layer_types": list(types)[:count]})
    short_base = _with_parts(base, config, layers=layers[:count])
    return _with_parts(model, config, **{model.base_model_prefix: short_base})


def _with_parts(module: nn.Module, config: Any, **parts: nn.Module) -> Any:
    """The same module object anew, with other children."""
    twin: Any = copy.copy(module)
    twin.__dict__["_modules"] = {**module._modules, **parts}
    twin.config = config
    return twin
