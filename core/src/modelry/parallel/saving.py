"""Saving a model that is spread over processes: each tensor is put together when its turn comes, and the first process
writes it. The folder is the ordinary one."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.tensor import DTensor

from modelry.checkpoint.naming import table_of
from modelry.checkpoint.weight_table import Step
from modelry.errors import CheckpointError
from modelry.tying import tied_names

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

HELD = 4
"""Steps whose tensors are kept: those of a layer's stacked experts are written in turn."""


class Gathering:
    """Puts the stored tensors of a model together, one after the other, in all processes at once.

    Args:
        model: whose parameters are DTensors, on a mesh of any dimensions.
    """

    def __init__(self, model: "PreTrainedModel") -> None:
        self._ours = model.state_dict()
        for name, source in tied_names(model).items():
            if name in self._ours and source in self._ours and _same(self._ours[name], self._ours[source]):
                del self._ours[name]
        lengths = {name: tensor.shape[0] for name, tensor in self._ours.items() if tensor.dim()}
        self._steps: dict[str, Step] = {}
        self.shapes: dict[str, Tensor] = {}
        """The stored tensors without values."""
        for step in table_of(model).writing(self._ours, lengths):
            empty = [torch.empty(self._ours[n].shape, dtype=self._ours[n].dtype, device="meta") for n in step.ours]
            self.shapes.update(zip(step.stored, step.row.write(empty), strict=True))
            self._steps.update(dict.fromkeys(step.stored, step))
        self._held: OrderedDict[tuple[str, ...], dict[str, Tensor]] = OrderedDict()
        self._left: list[str] = []

    @property
    def writes(self) -> bool:
        """Whether this is the process that writes."""
        return dist.get_rank() == 0

    def tensor(self, name: str) -> Tensor:
        """A stored tensor, whole. All processes ask for the same ones in the same order."""
        step = self._steps[name]
        if step.stored not in self._held:
            whole = [_whole(self._ours[one]) for one in step.ours]
            self._held[step.stored] = dict(zip(step.stored, step.row.write(whole), strict=True))
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        self._left.remove(name)
        return self._held[step.stored][name]

    @contextmanager
    def together(self, order: Iterable[str]) -> Iterator[None]:
        """Within, the first process asks for the tensors of `order`, and the others take part until it is done.

        Raises:
            CheckpointError: in the others, where the first one failed; there, its own error.
        """
        self._left = list(order)
        failed: list[str | None] = [None]
        try:
            if not self.writes:
                self._follow()
            yield
        except BaseException as error:
            failed = [f"{type(error).__name__}: {error}"]
            self._follow()  # the others wait for what is left
            raise
        finally:
            dist.broadcast_object_list(failed, src=0)
        if failed[0] is not None:
            raise CheckpointError(f"the model is not saved: in the process that writes, {failed[0]}")

    def _follow(self) -> None:
        for name in list(self._left):
            self.tensor(name)


def _whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def _same(one: Tensor, other: Tensor) -> bool:
    local = [each.to_local() if isinstance(each, DTensor) else each for each in (one, other)]
    return local[0].data_ptr() == local[1].data_ptr()
