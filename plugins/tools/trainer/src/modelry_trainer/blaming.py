"""A batch that cannot be run is brought home to its row."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from modelry_trainer.accumulation import divided, rows_of
from modelry_trainer.distributed.gathering import is_divided
from modelry_trainer.errors import BadRow
from modelry_trainer.feeding import BatchLoader, Fed

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer


def blame(trainer: "Trainer", group: Iterable[Fed], error: Exception, *, loader: Any, what: str, where: str) -> None:
    """Run rows one by one; name the one that fails where others do not, or all of them in a note on the error.

    First as they are in their batch; then, where a row has spoiled the batch for all, each as a batch of its own.

    Args:
        loader: that gave the batches.
        what: the data set.
        where: in the training.

    Raises:
        BadRow: exactly one row fails alone.
    """
    batches = list(group)
    if trainer.world.mesh is None or not is_divided(trainer.model):  # a divided model runs in all processes or in none
        pieces: list[tuple[int, Callable[[], Any]]] = [
            (number, partial(dict, row))
            for rows, batch, _ in batches
            for number, row in zip(rows, divided(batch, rows_of(batch)), strict=False)
        ]
        _name_one(trainer, pieces, error, what=what, where=where)
        if isinstance(loader, BatchLoader) and loader.order is not None:
            numbers = [number for fed in batches for number in fed.rows]
            alone: list[tuple[int, Callable[[], Any]]] = [(number, partial(loader.alone, number)) for number in numbers]
            _name_one(trainer, alone, error, what=what, where=where)
    named = ", ".join(str(row) for fed in batches for row in fed.rows) or "unknown"
    error.add_note(f"{where}, rows {named} of the {what}")


def _name_one(
    trainer: "Trainer", rows: Sequence[tuple[int, Callable[[], Any]]], error: Exception, *, what: str, where: str
) -> None:
    """Raise where exactly one of several fails."""
    failing = []
    for number, make in rows:
        row: Any = {}
        try:
            with torch.no_grad():
                row = trainer._prepare_inputs(make())
                trainer.compute_loss(trainer.model, row)
        except Exception as caught:
            failing.append((number, caught, row))
    if len(failing) == 1 and len(rows) > 1:
        number, why, row = failing[0]
        said = f"{type(why).__name__}: {why}{_unknown_ids(trainer.model, row)}"
        raise BadRow(f"row {number} of the {what} cannot be run, {where}: {said}") from error


def _unknown_ids(model: Any, row: Any) -> str:
    """What torch's own words about an index leave out."""
    ids, find = row.get("input_ids"), getattr(model, "get_input_embeddings", None)
    known = getattr(find() if find is not None else None, "num_embeddings", None)
    if known is None or not isinstance(ids, torch.Tensor) or not ids.numel():
        return ""
    odd = next((one for one in (int(ids.min()), int(ids.max())) if not 0 <= one < known), None)
    return "" if odd is None else f" (input_ids has {odd}, and the model knows 0 to {known - 1})"
