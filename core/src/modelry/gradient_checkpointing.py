"""Trading time for memory in training: layers recompute their activations in the backward pass."""

import inspect
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from modelry.errors import ConfigError

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

_HANDLE = "_gradient_checkpointing_handle"
_INPUTS = "_input_gradients_handle"


def gradient_checkpointing_enable(
    self: "PreTrainedModel", gradient_checkpointing_kwargs: Mapping[str, Any] | None = None
) -> None:
    """Recompute each layer in the backward pass instead of keeping its activations: less memory, a third slower."""
    enable(self, dict(gradient_checkpointing_kwargs or {}))


def activation_checkpointing_enable(
    self: "PreTrainedModel",
    activation_checkpointing_kwargs: Mapping[str, Any] | None = None,
    every_n_layers: int = 1,
    offload: bool = False,
) -> None:
    """The same by its newer name.

    Args:
        activation_checkpointing_kwargs: of torch.utils.checkpoint.checkpoint.
        every_n_layers: recompute one layer of so many, and keep the others'.
        offload: must be False: what is recomputed is not kept anywhere.

    Raises:
        ConfigError: offload, or less than one layer.
    """
    if offload or every_n_layers < 1:
        raise ConfigError(
            f"activation checkpointing with offload={offload} and every_n_layers={every_n_layers}: activations are "
            "recomputed and not kept on the CPU, of one layer in 1 or more"
        )
    enable(self, dict(activation_checkpointing_kwargs or {}), every=every_n_layers)


def gradient_checkpointing_disable(self: "PreTrainedModel") -> None:
    """Keep activations again."""
    disable(self)


def enable_input_require_grads(self: "PreTrainedModel") -> None:
    """Let embedded inputs ask for gradients though no weight below them does: layers recomputed with use_reentrant=True
    pass none on otherwise, and an adapter inside them would not learn.
    """
    disable_input_require_grads(self)
    asking = self.get_input_embeddings().register_forward_hook(_asking)
    self.__dict__[_INPUTS] = asking


def disable_input_require_grads(self: "PreTrainedModel") -> None:
    """Let embedded inputs be as their weights are again."""
    asking = self.__dict__.pop(_INPUTS, None)
    if asking is not None:
        asking.remove()


def is_recomputed(model: "PreTrainedModel") -> bool:
    """Whether some layer recomputes its activations."""
    return any("forward" in layer.__dict__ for layer in layers_of(model))


def enable(model: "PreTrainedModel", options: dict[str, Any], *, every: int = 1) -> None:
    """Recompute every layer of every nn.ModuleList of the model, or one of so many.

    While it trains, a model that has a cache is called with use_cache=False: a recomputed layer would extend it twice.

    Args:
        options: of torch.utils.checkpoint.checkpoint; use_reentrant is False unless given.

    Raises:
        ConfigError: the model has no list of layers, or says it cannot.
    """
    layers = list(layers_of(model))
    if not layers or not model.supports_gradient_checkpointing:
        raise ConfigError(f"{type(model).__name__} cannot recompute its layers (gradient checkpointing)")
    disable(model)
    for layer in layers[::every]:
        layer.__dict__["forward"] = partial(_recomputed, layer, {"use_reentrant": False, **options})
    if "use_cache" in inspect.signature(type(model).forward).parameters:
        model.__dict__[_HANDLE] = model.register_forward_pre_hook(_without_cache, with_kwargs=True)


def disable(model: "PreTrainedModel") -> None:
    """Let all layers keep their activations; does nothing when they do."""
    for layer in layers_of(model):
        layer.__dict__.pop("forward", None)
    handle = model.__dict__.pop(_HANDLE, None)
    if handle is not None:
        handle.remove()


def layers_of(model: nn.Module) -> Iterator[nn.Module]:
    """Layers of the outermost lists: a list inside a layer is recomputed with it."""
    for child in model.children():
        if isinstance(child, nn.ModuleList):
            for layer in child:
                if isinstance(layer, nn.ModuleList):  # a list for each stage
                    yield from layer
                else:
                    yield layer
        else:
            yield from layers_of(child)


def _recomputed(layer: nn.Module, options: dict[str, Any], /, *inputs: Any, **named: Any) -> Any:
    forward = partial(type(layer).forward, layer)
    if layer.training and torch.is_grad_enabled():
        return checkpoint(forward, *inputs, **options, **named)
    return forward(*inputs, **named)


def _asking(module: nn.Module, inputs: Any, embedded: torch.Tensor) -> None:
    if torch.is_grad_enabled() and embedded.is_leaf:  # it comes from weights that learn otherwise
        embedded.requires_grad_(True)


def _without_cache(module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    if module.training and torch.is_grad_enabled():
        named = {**named, "use_cache": False}
    return inputs, named
