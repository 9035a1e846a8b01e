"""Activations follow the parts of a model over devices."""

from typing import Any

import torch

from modelry.checkpoint.activations import move_activations
from modelry.checkpoint.placement import Placement
from modelry.nn.masks import causal_mask

CPU = torch.device("cpu")


class Recorder:
    """Stands for a device that only one of two machines has: remembers what was to be moved."""

    def __init__(self) -> None:
        self.moved: list[torch.device] = []

    def to(self, device: torch.device) -> "Recorder":
        self.moved.append(device)
        return self


def test_activations_follow() -> None:
    class Layer(torch.nn.Module):
        def forward(self, x: Any, more: Any = None) -> Any:
            return x

    model = torch.nn.Sequential(Layer(), Layer())
    meta = torch.device("meta")
    move_activations(model, Placement({"0": CPU, "1": meta}, CPU))
    record = Recorder()
    assert model(torch.ones(2)).device == meta
    model[1]((torch.ones(1), [record]), more={"x": record})
    assert record.moved == [meta, meta]


def test_parts_that_nobody_named_bring_their_inputs_too() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2, device="meta"), torch.nn.Linear(2, 2))
    move_activations(model, Placement({"": CPU, "0": torch.device("meta")}, CPU))
    assert all(layer._forward_pre_hooks for layer in model), "the second one's inputs come from another device"


def test_masks_move_once_with_all_that_is_in_them() -> None:
    padded = torch.tensor([[0, 1, 1], [1, 1, 1]])
    mask = causal_mask(padded, new=3, device=CPU)
    assert mask.to(CPU) is mask
    moved = mask.to(torch.device("meta"))
    assert moved.allowed.is_meta
    assert moved.earlier == mask.earlier
    assert moved.causal == mask.causal
    assert (moved.parts is None) == (mask.parts is None)
    assert mask.to(torch.device("meta")) is moved
    plain = causal_mask(None, new=3, device=CPU)
    assert plain.to(torch.device("meta")) is plain


def test_what_is_there_already_stays_the_same_object() -> None:
    """Lists are filled by modules for their callers; shapes are tuples that no generator makes."""
    there: list[Any] = []
    shapes = (torch.Size([3, 4]), torch.Size([]))
    model = torch.nn.Module()
    model.layers = torch.nn.ModuleList([torch.nn.Identity(), torch.nn.Identity()])
    model.forward = lambda seen, sizes: (seen, sizes)
    move_activations(model, Placement({"layers.0": CPU, "layers.1": torch.device("meta")}, CPU))
    seen, sizes = model(there, shapes)
    assert seen is there
    assert sizes == shapes
