"""Which name of a checkpoint is which of a model: base models inside heads, and weight tables of the parts."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from modelry.checkpoint.separate_rows import separated
from modelry.checkpoint.weight_table import Row, Step, WeightTable

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

COMPUTED = (".rotary_emb.inv_freq",)
"""Endings of tensors in old checkpoints that are computed from the configuration."""


def table_of(model: "PreTrainedModel") -> WeightTable:
    """The rows of a model and of every model inside it, under the names of the whole.

    Of a tensor that a model and one inside it both have a row for, the outer one decides.
    """
    rows: list[Row] = []
    for path, part in model.named_modules():
        table = getattr(type(part), "weight_table", None)
        if isinstance(table, WeightTable):
            decided = {row.ours for row in rows if row.written and row.ours}
            own = table.under(f"{path}." if path else "", part.config).rows
            rows += [row for row in own if not (row.written and row.ours in decided)]
    apart = {path: len(part) for path, part in model.named_modules() if getattr(type(part), "was_stacked", False)}
    return WeightTable(*(separated(rows, apart) if apart else rows))


def packed_names(tensors: Mapping[str, Tensor]) -> set[str]:
    """Names of a model's tensors that are packed, and no weights as a float model has them.

    Args:
        tensors: of `state_dict(keep_vars=True)`.
    """
    return {name for name, one in tensors.items() if not (isinstance(one, nn.Parameter) and one.is_floating_point())}


def names_in(model: "PreTrainedModel", stored: Collection[str]) -> dict[str, str]:
    """What stored tensors are called in this model, of those that are one tensor in either."""
    fitted, steps = _steps(model, stored)
    return {fitted[step.stored[0]]: step.ours[0] for step in steps if len(step.stored) == len(step.ours) == 1}


def sources_in(model: "PreTrainedModel", stored: Collection[str]) -> dict[str, str]:
    """The first of the stored tensors that each tensor of this model is read from."""
    fitted, steps = _steps(model, stored)
    return {name: fitted[step.stored[0]] for step in steps for name in step.ours}


def _steps(model: "PreTrainedModel", stored: Collection[str]) -> tuple[dict[str, str], list[Step]]:
    table = table_of(model)
    fitted = {name: stored for stored, name in fit_names(stored, model, table).items() if name is not None}
    return fitted, table.reading(fitted)


def fit_names(stored: Collection[str], model: "PreTrainedModel", table: WeightTable) -> dict[str, str | None]:
    """What each stored name is called in a checkpoint of exactly this class of model.

    A base model's checkpoint lacks the prefix that a head's has, and either may be loaded into either.

    Returns:
        Stored name to name; None for a tensor of a head that this model does not have.
    """
    prefix = f"{model.base_model_prefix}."
    prefixed = any(name.startswith(prefix) for name in stored)
    has_head = model.base_model is not model
    own = set(dict(model.named_children()))
    if has_head and not prefixed:
        base: Any = model.base_model
        shared = own & set(dict(base.named_children()))  # there, the whole name says whose a tensor is
        heads = model.state_dict(keep_vars=True).keys() if shared else ()

        def is_mine(name: str) -> bool:
            part = name.partition(".")[0]
            return (name in heads if part in shared else part in own) or table.names_stored(name)

        rest = [name for name in stored if not is_mine(name)]
        inside: dict[str, str | None] = {name: name for name in rest}
        if getattr(base, "base_model", base) is not base:  # the base model is itself a head, over another
            inside = fit_names(rest, base, table_of(base))
        return {name: f"{prefix}{inside[name]}" if name in inside else name for name in stored}
    if not has_head and prefixed and model.base_model_prefix not in model._modules:

        def out_of_head(name: str) -> str | None:
            if name.startswith(prefix):
                return name.removeprefix(prefix)
            part = name.partition(".")[0]  # a backbone's files have some names either way
            return name if part in own and not any(one.startswith(f"{prefix}{part}.") for one in stored) else None

        return {name: out_of_head(name) for name in stored}
    return {name: name for name in stored}


def computed_names(model: nn.Module) -> set[str]:
    """Names of buffers that are computed and never stored; a checkpoint that has them anyway is not wrong."""
    return {
        f"{path}.{name}" if path else name
        for path, part in model.named_modules()
        for name in part._non_persistent_buffers_set
    }


def unread_names(model: nn.Module) -> tuple[str, ...]:
    """Beginnings of names that checkpoints of the family have, and this model and those inside it do not read."""
    return tuple(
        f"{path}.{name}" if path else name
        for path, part in model.named_modules()
        for name in getattr(type(part), "unread", ())
    )
