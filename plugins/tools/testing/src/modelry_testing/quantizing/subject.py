"""A scheme under test: a float checkpoint, and the model it becomes.

R rows   T positions   V vocabulary
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelry import AutoModelForCausalLM, PreTrainedModel
from modelry_registry import Quantizer
from modelry_testing.toys.tokenizer_files import vocabulary


class Subject:
    """One scheme and one float model."""

    def __init__(self, spec: Quantizer, folder: Path, parameters: dict[str, Any]) -> None:
        self.spec = spec
        self.folder = folder
        self.parameters = parameters

    @property
    def config(self) -> dict[str, Any]:
        """quantization_config as the ecosystem writes it."""
        return {"quant_method": self.spec.name, **self.parameters}

    @cached_property
    def float_model(self) -> PreTrainedModel:
        """The model as it was trained."""
        return AutoModelForCausalLM.from_pretrained(self.folder)

    @cached_property
    def packed_model(self) -> PreTrainedModel:
        """The model that the scheme makes of it."""
        return self.load()

    def load(self, folder: Path | None = None, **options: Any) -> PreTrainedModel:
        """Load, packing unless `folder` is packed already."""
        if folder is None:
            options = {"quantization": self.config, **options}
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(folder or self.folder, **options)
        return model

    @torch.inference_mode()
    def logits(self, model: PreTrainedModel) -> Tensor:
        """(R, T, V) float32 logits on fixed ids."""
        ids = torch.randint(len(vocabulary()) - 3, (4, 16), generator=torch.Generator().manual_seed(4))
        found: Tensor = model(input_ids=ids).logits
        return found.float()

    def replaced(self) -> dict[str, tuple[nn.Module, nn.Module]]:
        """Name to (float layer, packed layer), for every layer that the scheme replaced or repacked."""
        before = dict(self.float_model.named_modules())
        pairs = {name: (before[name], module) for name, module in self.packed_model.named_modules() if name in before}
        return {
            name: (old, new)
            for name, (old, new) in pairs.items()
            if type(old) is not type(new) or _dtypes(old) != _dtypes(new)
        }


def _dtypes(module: nn.Module) -> set[tuple[str, torch.dtype]]:
    return {(name, one.dtype) for name, one in held(module)}


def held(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of this module alone."""
    yield from module.named_parameters(recurse=False)
    yield from module.named_buffers(recurse=False)


def bits(module: nn.Module) -> int:
    """Memory of a module and what is in it."""
    tensors = {id(one): one for one in (*module.parameters(), *module.buffers())}
    return 8 * sum(one.numel() * one.element_size() for one in tensors.values())
