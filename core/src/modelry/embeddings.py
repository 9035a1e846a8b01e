"""The two ends of a vocabulary: finding, replacing and resizing input embeddings and output projections."""

import copy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from modelry.errors import ConfigError, QuantizationError
from modelry.parallel.state import is_divided

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel


def input_embeddings(model: "PreTrainedModel") -> nn.Module:
    """The module that turns token ids into vectors, by the path `input_embeddings_name` of the base model.

    Raises:
        ConfigError: this kind of model has none.
    """
    owner, path = _input_path(model)
    return owner.get_submodule(path)


def set_input_embeddings(model: "PreTrainedModel", module: nn.Module) -> None:
    """Replace the input embedding."""
    owner, path = _input_path(model)
    owner.set_submodule(path, module)
    model.tie_weights()


def output_embeddings(model: "PreTrainedModel") -> nn.Module | None:
    """The projection onto the vocabulary, None for a model without one."""
    found: nn.Module | None = model
    for name in model.output_embeddings_name.split("."):
        found = None if found is None else found._modules.get(name)
    return found


def set_output_embeddings(model: "PreTrainedModel", module: nn.Module) -> None:
    """Replace the projection onto the vocabulary.

    Raises:
        ConfigError: the model has none.
    """
    if output_embeddings(model) is None:
        raise ConfigError(f"{type(model).__name__} has no {model.output_embeddings_name} to replace")
    model.set_submodule(model.output_embeddings_name, module)


def resize(model: "PreTrainedModel", count: int | None, *, pad_to_multiple_of: int | None = None) -> nn.Module:
    """Give input embedding, output projection and config.vocab_size another number of rows.

    Args:
        count: rows wanted; today's when None.
        pad_to_multiple_of: round up to a multiple of it.

    Raises:
        ConfigError: count is below 1, the embedding is none of plain rows or of no vocabulary, or it is spread over
            processes.
        QuantizationError: the projection is packed; nothing has been changed.
    """
    old = input_embeddings(model)
    if not isinstance(old, nn.Embedding):
        raise ConfigError(f"{type(model).__name__} embeds with a {type(old).__name__}, which cannot be resized")
    if is_divided(model):
        raise ConfigError(
            f"{type(model).__name__} is spread over processes: resize the vocabulary before it is divided"
        )
    rows = old.num_embeddings if count is None else count
    if pad_to_multiple_of is not None:
        rows = -(-rows // pad_to_multiple_of) * pad_to_multiple_of
    if rows < 1:
        raise ConfigError(f"a vocabulary of {rows} tokens is impossible")
    if rows == old.num_embeddings:
        return old
    head = output_embeddings(model)
    if head is not None and not isinstance(getattr(head, "weight", None), nn.Parameter):
        name = model.output_embeddings_name
        raise QuantizationError(
            f"{name} is a packed {type(head).__name__}, whose rows cannot be changed: resize the float model "
            f'and quantize it then, or quantize with modules_to_not_convert: ["{name}"]'
        )
    text = model.config.get_text_config()
    if getattr(text, "vocab_size", None) is None:
        raise ConfigError(f"{type(model).__name__} has no vocabulary: its configuration knows no vocab_size")
    new = _resized(model, old, rows)
    if isinstance(head, nn.Linear):
        _resize_head(model, head, rows, tied_to=new.weight if head.weight is old.weight else None)
    set_input_embeddings(model, new)
    _resize_parts(model, new, before=old.num_embeddings)
    text.vocab_size = rows
    if "vocab_size" in type(model.config).model_fields:
        model.config.vocab_size = rows
    return new


def _resized(model: "PreTrainedModel", old: nn.Embedding, rows: int) -> nn.Embedding:
    """The same kind of embedding, hooks included, with other rows: some scale what they look up."""
    new = copy.copy(old)
    new._parameters, new.num_embeddings = {}, rows
    new.padding_idx = old.padding_idx if old.padding_idx is not None and old.padding_idx < rows else None
    new.weight = nn.Parameter(torch.empty(rows, old.embedding_dim, device=old.weight.device, dtype=old.weight.dtype))
    _fill(model, new, old.weight)
    return new


def _resize_parts(model: "PreTrainedModel", new: nn.Embedding, *, before: int) -> None:
    """The embeddings of the same vocabulary that models inside have of their own."""
    from modelry.model import PreTrainedModel

    for part in model.modules():
        if not isinstance(part, PreTrainedModel):
            continue
        try:
            old = input_embeddings(part)
        except ConfigError:
            continue
        if not isinstance(old, nn.Embedding) or old.num_embeddings != before or old is new:
            continue
        if old.weight is new.weight:
            old.num_embeddings, old.padding_idx = new.num_embeddings, new.padding_idx
        else:
            set_input_embeddings(part, _resized(part, old, new.num_embeddings))


def _resize_head(model: "PreTrainedModel", head: nn.Linear, rows: int, *, tied_to: Tensor | None) -> None:
    new = nn.Linear(
        head.in_features, rows, bias=head.bias is not None, device=head.weight.device, dtype=head.weight.dtype
    )
    _fill(model, new, head.weight)
    with torch.no_grad():
        if head.bias is not None:
            new.bias[: head.bias.shape[0]] = head.bias[:rows]
    if tied_to is not None:
        new.weight = tied_to
    old_bias = head.bias
    set_output_embeddings(model, new)
    for name, source in model.tied_weights.items():
        path, _, attribute = source.rpartition(".")
        if name == f"{model.output_embeddings_name}.bias":
            other = model.get_parameter(source)
            model.get_submodule(path)._parameters[attribute] = new.bias if other is old_bias else _longer(other, rows)


def _longer(bias: nn.Parameter, rows: int) -> nn.Parameter:
    """The same with zeros behind, or cut."""
    with torch.no_grad():
        new = bias.new_zeros(rows)
        kept = min(rows, len(bias))
        new[:kept] = bias[:kept]
    return nn.Parameter(new, requires_grad=bias.requires_grad)


def _fill(model: "PreTrainedModel", new: nn.Embedding | nn.Linear, old: Tensor) -> None:
    """Copy the rows both have; the others start as in a new model."""
    with torch.no_grad():
        model.init_weights(new)
        kept = min(new.weight.shape[0], old.shape[0])
        new.weight[:kept] = old[:kept]
    new.weight.requires_grad_(old.requires_grad)


def _input_path(model: "PreTrainedModel") -> tuple[nn.Module, str]:
    owner = model.base_model
    path = getattr(owner, "input_embeddings_name", model.input_embeddings_name)
    try:
        owner.get_submodule(path)
    except AttributeError as error:
        raise ConfigError(
            f"{type(model).__name__} has no input embedding of tokens ({path} in its base model)"
        ) from error
    return owner, path
