"""What training, evaluation and prediction give back, and how the outputs of batches become those of a data set.

B rows of a batch   T positions, which differ between batches
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from modelry.heads.losses import IGNORED


class TrainOutput(NamedTuple):
    """Of `Trainer.train`."""

    global_step: int
    training_loss: float
    metrics: dict[str, float]


class PredictionOutput(NamedTuple):
    """Of `Trainer.predict`."""

    predictions: Any
    label_ids: Any
    metrics: dict[str, float]


class EvalPrediction:
    """What `compute_metrics` is given: attributes, and a tuple of those that are there."""

    def __init__(self, predictions: Any, label_ids: Any, inputs: Any = None, losses: Any = None) -> None:
        self.predictions, self.label_ids, self.inputs, self.losses = predictions, label_ids, inputs, losses

    def __iter__(self) -> Iterator[Any]:
        return iter(self._present())

    def __getitem__(self, index: int) -> Any:
        return self._present()[index]

    def _present(self) -> tuple[Any, ...]:
        more = tuple(one for one in (self.inputs, self.losses) if one is not None)
        return self.predictions, self.label_ids, *more


class Collected:
    """Outputs of batch after batch.

    Args:
        move_every: batches after which they leave the device; None: at the end.
        concatenate: whether batches become one array, or stay a list of arrays.
    """

    def __init__(self, *, move_every: int | None, concatenate: bool) -> None:
        self.move_every, self.concatenate = move_every, concatenate
        self._there: list[Any] = []
        self._here: list[Any] = []

    def add(self, tree: Any) -> None:
        """Keep the outputs of one batch; None is nothing."""
        if tree is None:
            return
        self._there.append(tree)
        if self.move_every is not None and len(self._there) >= self.move_every:
            self._move()

    def all(self) -> Any:
        """Everything as numpy arrays; rows of different lengths are filled up with -100. None where nothing came."""
        self._move()
        if not self._here:
            return None
        return joined(self._here) if self.concatenate else self._here

    def _move(self) -> None:
        self._here += [as_arrays(tree) for tree in self._there]
        self._there = []


def plain_value(value: Any) -> Any:
    """A tensor or an array, in lists and mappings too, as a number or lists, which logs and checkpoints keep; anything
    else as it is."""
    if isinstance(value, Tensor):
        return value.to_dense().tolist()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return {name: plain_value(one) for name, one in value.items()}
    return [plain_value(one) for one in value] if isinstance(value, list | tuple) else value


def as_arrays(tree: Any) -> Any:
    """The same with numpy arrays in the place of tensors; bfloat16, which numpy lacks, as float32."""
    if isinstance(tree, Tensor):
        tensor = tree.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    if isinstance(tree, Mapping):
        return {name: as_arrays(value) for name, value in tree.items()}
    if isinstance(tree, list | tuple):
        return type(tree)(as_arrays(one) for one in tree)
    return tree


def joined(trees: Sequence[Any]) -> Any:
    """Batches one behind the other: (B, ...) each, and the second axis made equal."""
    first = trees[0]
    if isinstance(first, Mapping):
        return {name: joined([tree[name] for tree in trees]) for name in first}
    if isinstance(first, list | tuple):
        return type(first)(joined([tree[number] for tree in trees]) for number in range(len(first)))
    arrays = [np.atleast_1d(np.asarray(tree)) for tree in trees]
    if arrays[0].ndim > 1:
        longest = max(array.shape[1] for array in arrays)
        arrays = [_filled(array, longest) for array in arrays]
    return np.concatenate(arrays)


def _filled(array: np.ndarray, length: int) -> np.ndarray:
    missing = [(0, 0)] * array.ndim
    missing[1] = (0, length - array.shape[1])
    return array if array.shape[1] == length else np.pad(array, missing, constant_values=IGNORED)
