"""A batch that cannot be run is brought home to its row."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from modelry.heads.losses import IGNORED
from modelry.heads.multiple_choice import MultipleChoice
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
        BadRow: exactly one row fails alone, or holds what a GPU ends all work for.
    """
    batches = list(group)
    if _has_ended_the_gpu(error):
        _name_misfit(trainer, batches, error, what=what, where=where)
    elif trainer.world.mesh is None or not is_divided(trainer.model):  # a divided one runs in all processes or in none
        rows: list[tuple[int, Callable[[], Any]]] = [(number, partial(dict, row)) for number, row in _rows_of(batches)]
        _name_one(trainer, rows, error, what=what, where=where)
        if isinstance(loader, BatchLoader) and loader.order is not None:
            numbers = [number for fed in batches for number in fed.rows]
            alone: list[tuple[int, Callable[[], Any]]] = [(number, partial(loader.alone, number)) for number in numbers]
            _name_one(trainer, alone, error, what=what, where=where)
    named = ", ".join(str(row) for fed in batches for row in fed.rows) or "unknown"
    error.add_note(f"{where}, rows {named} of the {what}")


def _rows_of(batches: Iterable[Fed]) -> Iterator[tuple[int, Any]]:
    """Each row with its number in the data set, as it is in its batch."""
    for rows, batch, _ in batches:
        yield from zip(rows, divided(batch, rows_of(batch)), strict=False)


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
        unknown = _unknown_ids(trainer.model, row)
        said = f"{type(why).__name__}: {why}" + (f" ({unknown})" if unknown else "")
        raise BadRow(f"row {number} of the {what} cannot be run, {where}: {said}") from error


def _has_ended_the_gpu(error: Exception) -> bool:
    """Whether a GPU's own check of an index has failed: whatever is asked of it afterwards fails too."""
    return isinstance(error, torch.AcceleratorError) and "device-side assert" in str(error)


def _name_misfit(trainer: "Trainer", batches: Sequence[Fed], error: Exception, *, what: str, where: str) -> None:
    """Raise where one row holds an id or a label that the model does not have. Nothing is run: rows are on the CPU."""
    found, classes = [], _classes(trainer.model)
    ignored = (IGNORED, getattr(getattr(trainer.model, "config", None), "semantic_loss_ignore_index", IGNORED))
    for number, row in _rows_of(batches):
        why = _unknown_ids(trainer.model, row) or _outside(row, "labels", classes, ignored=ignored)
        found += [(number, why)] if why else []
    if len(found) == 1:
        number, why = found[0]
        raise BadRow(
            f"row {number} of the {what} cannot be run, {where}: {why}. The GPU's own check has ended the work on it: "
            "start again without this row, from the last checkpoint"
        ) from error
    for number, why in found:
        error.add_note(f"row {number}: {why}")


def _unknown_ids(model: Any, row: Any) -> str:
    find = getattr(model, "get_input_embeddings", None)
    if find is None or "input_ids" not in row:
        return ""
    return _outside(row, "input_ids", getattr(find(), "num_embeddings", None))


def _classes(model: Any) -> int | None:
    """Classes of which a label names one: the vocabulary's, or those of the configuration. Choices are as many as are
    given."""
    if isinstance(model, MultipleChoice):
        return None
    find, config = getattr(model, "get_output_embeddings", None), getattr(model, "config", None)
    vocabulary = getattr(None if find is None else find(), "out_features", None)
    regression = getattr(config, "problem_type", None) == "regression"
    return vocabulary or (None if regression else getattr(config, "num_labels", None))


def _outside(row: Any, name: str, count: int | None, *, ignored: Sequence[int] = ()) -> str:
    """What torch's own words about an index leave out; "" where a tensor has nothing outside 0 to count - 1."""
    numbers = row.get(name)
    if count is None or count == 1 or not isinstance(numbers, torch.Tensor) or numbers.is_floating_point():
        return ""
    odd = [one for one in numbers.flatten().tolist() if not 0 <= one < count and one not in ignored]
    return f"{name} has {odd[0]}, and the model knows 0 to {count - 1}" if odd else ""
