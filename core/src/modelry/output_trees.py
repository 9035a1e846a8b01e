"""Telling torch how to take outputs apart: torch.export and FSDP find the tensors in them by this."""

from functools import partial
from typing import Any

from torch.utils import _pytree as trees

from modelry.outputs import KINDS, LISTENERS, ModelOutput


def let_torch_know() -> None:
    """Tell it of every class of outputs there is and of each that is defined later. Said once, it stays said."""
    if _register not in LISTENERS:
        LISTENERS.append(_register)
        for kind in KINDS:
            _register(kind)


def _register(kind: type[ModelOutput]) -> None:
    trees.register_pytree_node(
        kind,
        _apart,
        partial(_together, kind),
        serialized_type_name=f"{kind.__module__}.{kind.__qualname__}",
        flatten_with_keys_fn=_apart_with_names,
    )


def _apart(output: ModelOutput) -> tuple[list[Any], list[str]]:
    return list(output.values()), list(output.keys())


def _apart_with_names(output: ModelOutput) -> tuple[list[tuple[trees.KeyEntry, Any]], list[str]]:
    return [(trees.GetAttrKey(name), value) for name, value in output.items()], list(output.keys())


def _together(kind: type[ModelOutput], values: Any, names: Any) -> ModelOutput:
    return kind(**dict(zip(names, values, strict=True)))
