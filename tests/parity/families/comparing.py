"""Two outputs, tensor by tensor. What stands at padding is nobody's business, and a cache has its own check."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from modelry.outputs import ModelOutput

CACHES = ("past_key_values", "cache_params", "encoder_past_key_values")


def tensors(value: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of an output, by a dotted name."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping | ModelOutput):
        for key, inner in value.items():
            if key not in CACHES:
                yield from tensors(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from tensors(inner, f"{name}.{number}")


def compare(
    ours: Any,
    theirs: Any,
    inputs: Mapping[str, Any],
    *,
    tolerance: float,
    real: Callable[[str, Tensor, Mapping[str, Any]], Tensor] | None = None,
) -> None:
    """Every tensor that the reference returns is there and equal, within `tolerance`, absolute or relative.

    Args:
        inputs: whose masks say what is padding.
        real: (name, tensor, inputs) -> the values that count, where it is not `without_padding`.
    """
    found, expected = dict(tensors(dict(ours))), dict(tensors(dict(theirs)))
    missing = sorted(expected.keys() - found.keys())
    assert not missing, f"missing in our output: {missing}; it has {sorted(found)}"
    assert expected, "the reference returned nothing"
    keep = real or without_padding
    for name, tensor in expected.items():
        assert found[name].shape == tensor.shape, f"{name}: {tuple(found[name].shape)}, not {tuple(tensor.shape)}"
        torch.testing.assert_close(
            keep(name, found[name], inputs),
            keep(name, tensor, inputs),
            atol=tolerance,
            rtol=tolerance,
            msg=lambda said, name=name: f"{name}: {said}",  # type: ignore[misc]  # mypy infers no type for defaults
        )


def without_padding(name: str, tensor: Tensor, inputs: Mapping[str, Any]) -> Tensor:
    """The values of real positions: (B, T, ...) and attention (B, H, T, W) by query, others as they are."""
    decoder = not name.startswith("encoder") and "decoder_input_ids" in inputs
    mask = inputs.get("decoder_attention_mask" if decoder else "attention_mask")
    if mask is None:
        return tensor
    if tensor.shape[: mask.dim()] == mask.shape:
        return tensor[mask.bool()]
    if name.startswith("router_logits"):  # (B T, X), of X experts
        return tensor[mask.flatten().bool()]
    real = mask.flatten(0, -2).bool()  # several choices of a row are rows of their own inside
    if tensor.shape[:2] == real.shape:
        return tensor[real]
    if tensor.dim() == 4 and (tensor.shape[0], tensor.shape[2]) == tuple(real.shape):
        return tensor.transpose(1, 2)[real]
    return tensor
