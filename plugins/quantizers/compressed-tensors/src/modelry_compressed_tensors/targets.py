"""Which layers a quantization_config means: by full name, by pattern, or by class."""

import re
from collections.abc import Iterator

from torch import nn

from modelry.model import PreTrainedModel
from modelry_compressed_tensors.parameters import CompressedTensorsParameters

NAME, PATTERN, CLASS, NOT = range(4)
"""How near a target is to a module."""


def meant(model: nn.Module, parameters: CompressedTensorsParameters, ignore: list[str]) -> Iterator[tuple[str, str]]:
    """Yield name of a module and name of its group, for every module that a group means and `ignore` does not.

    Where several groups mean a module, a full name goes before a pattern, and a pattern before a class. A pattern means
    linear layers, and not the modules around them whose names fit too.
    """
    prefix = f"{model.base_model_prefix}." if isinstance(model, PreTrainedModel) and model.base_model is model else ""
    for name, module in model.named_modules():
        names = {name, prefix + name}  # a base model alone is called as it is in the whole model
        if not name or min((_nearness(one, names, module) for one in ignore), default=NOT) < NOT:
            continue
        near = {
            group: min((_nearness(one, names, module) for one in scheme.targets), default=NOT)
            for group, scheme in parameters.config_groups.items()
        }
        nearest = min(near, key=lambda group: near[group])
        if near[nearest] < NOT and (near[nearest] != PATTERN or isinstance(module, nn.Linear)):
            yield name, nearest


def _nearness(target: str, names: set[str], module: nn.Module) -> int:
    if target in names:
        return NAME
    if target.startswith("re:"):
        return PATTERN if any(re.match(target[3:], name) for name in names) else NOT
    return CLASS if any(one.__name__ == target for one in type(module).__mro__) else NOT
