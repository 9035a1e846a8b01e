"""From the features of single items to one padded batch, and from its outputs back to single items.

B items of a batch
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from modelry.errors import PipelineError

Side = Literal["left", "right"]


def collate(items: Sequence[Mapping[str, Any]], *, padding: Mapping[str, float], side: Side) -> dict[str, Tensor]:
    """Pad and stack the tensors of several items.

    Args:
        items: the features of each item, without a batch dimension. What is no tensor is left out.
        padding: feature name to padding value; 0 where a name is absent.
        side: where the first dimension is padded. Further dimensions are padded at their end.

    Returns:
        feature name -> (B, ...). Where `input_ids` have unequal lengths and no mask, an `attention_mask` is added.

    Raises:
        PipelineError: the items do not have the same features, or tensors of unequal rank.
    """
    columns = [{name: value for name, value in item.items() if isinstance(value, Tensor)} for item in items]
    names = columns[0].keys()
    for position, column in enumerate(columns):
        if column.keys() != names:
            raise PipelineError(
                f"items of one batch need the same features: number {position} has {sorted(column)}, "
                f"the first has {sorted(names)}"
            )
    if "input_ids" in names and "attention_mask" not in names:
        lengths = {len(column["input_ids"]) for column in columns}
        if len(lengths) > 1:
            for column in columns:
                column["attention_mask"] = torch.ones_like(column["input_ids"])
    return {
        name: stack_padded([column[name] for column in columns], value=padding.get(name, 0), side=side, name=name)
        for name in columns[0]
    }


def stack_padded(tensors: Sequence[Tensor], *, value: float, side: Side, name: str = "feature") -> Tensor:
    """Stack tensors of one rank as (B, ...), each dimension padded to the longest.

    Raises:
        PipelineError: the ranks differ.
    """
    first = tensors[0]
    if all(tensor.shape == first.shape for tensor in tensors):
        return torch.stack(list(tensors))
    if any(tensor.ndim != first.ndim for tensor in tensors):
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise PipelineError(f"{name!r} cannot be batched: its shapes are {shapes}. Use batch_size=1")
    longest = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    batch = first.new_full((len(tensors), *longest), value)
    for row, tensor in zip(batch, tensors, strict=True):
        window = [slice(0, size) for size in tensor.shape]
        if side == "left":
            window[0] = slice(longest[0] - tensor.shape[0], None)
        row[tuple(window)] = tensor
    return batch


def split(outputs: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Take a batch's outputs apart: tensors by their first dimension (to the CPU), lists of `count` by element.

    Raises:
        PipelineError: a tensor's first dimension is not the batch.
    """
    rows: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, value in outputs.items():
        for row, part in zip(rows, _parts(name, value, count), strict=True):
            row[name] = part
    return rows


def _parts(name: str, value: Any, count: int) -> Sequence[Any]:
    if isinstance(value, Tensor):
        if value.ndim == 0:
            return [value.cpu()] * count
        if value.shape[0] != count:
            raise PipelineError(
                f"forward returned {name!r} of shape {tuple(value.shape)} for a batch of {count}: "
                "its first dimension must be the batch"
            )
        return list(value.cpu())
    if isinstance(value, tuple) and value and all(isinstance(part, Tensor) for part in value):
        layers = [_parts(name, part, count) for part in value]
        return list(zip(*layers, strict=True))
    if isinstance(value, list) and len(value) == count:
        return value
    return [value] * count
