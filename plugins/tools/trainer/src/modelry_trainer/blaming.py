"""A batch that cannot be run is brought home to its rows."""

import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from modelry.errors import ModelryError
from modelry.heads.losses import IGNORED
from modelry.heads.multiple_choice import MultipleChoice
from modelry_trainer import precision
from modelry_trainer.accumulation import divided, rows_of
from modelry_trainer.distributed.gathering import is_divided
from modelry_trainer.errors import BadRow
from modelry_trainer.feeding import BatchLoader, Fed
from modelry_trainer.objective import count_for

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer


def blame(trainer: "Trainer", group: Iterable[Fed], error: Exception, *, loader: Any, what: str, where: str) -> None:
    """Run rows one by one; name those that fail where others do not, or all of them in a note on the error.

    First as they are in their batch; then, where a row has spoiled the batch for all, each as a batch of its own.

    Args:
        loader: that gave the batches.
        what: the data set.
        where: in the training.

    Raises:
        BadRow: some rows fail alone and others do not; or all of them do, for what they hold; or, where none can be run
            alone, some hold ids or labels that the model does not have.
    """
    batches = list(group)
    divides = trainer.world.mesh is not None and is_divided(trainer.model)  # such a model runs in all processes or none
    if (ended := _has_ended_the_gpu(error)) or divides:
        found = [(number, why) for number, row in _rows_of(batches) if (why := _misfit(trainer, row))]
        ending = ". The GPU's own check has ended the work on it: start " if ended else ""
        _accuse(found, error, what=what, where=where, ending=ending)
    else:
        tries: list[list[_Try]] = [[_Try(number, partial(dict, row)) for number, row in _rows_of(batches)]]
        if isinstance(loader, BatchLoader) and loader.order is not None:
            tries += [[_Try(number, partial(loader.alone, number)) for fed in batches for number in fed.rows]]
        failing: list[_Failure] = []
        for rows in tries:
            failing = _failing(trainer, rows, error)
            if 0 < len(failing) < len(rows):
                break
        else:
            failing = failing if all(_lies_in_the_row(trainer, one) for one in failing) else []
        _accuse([(one.number, _words(trainer, one)) for one in failing], error, what=what, where=where)
    named = _listed([row for fed in batches for row in fed.rows])
    error.add_note(f"{where}, rows {named} of the {what}")


class _Try(NamedTuple):
    """A row to be run."""

    number: int
    make: Callable[[], Any]


class _Failure(NamedTuple):
    """A row that has not run, as the model was given it."""

    number: int
    why: Exception
    row: Any


def _rows_of(batches: Iterable[Fed]) -> Iterator[tuple[int, Any]]:
    """Each row with its number in the data set, as it is in its batch."""
    for rows, batch, _ in batches:
        yield from zip(rows, divided(batch, rows_of(batch)), strict=False)


def _failing(trainer: "Trainer", rows: Sequence[_Try], error: Exception) -> list[_Failure]:
    """The rows that fail alone. Where all do: those that fail as their batch did, for a model may have its own reasons
    to refuse a single row (norms over a batch), which it has not when it is not learning."""
    failing = _run(trainer, rows)
    if len(failing) < len(rows):
        return failing
    if not (alike := [one for one in failing if _alike(one.why, error)]):
        model: Any = trainer.model
        modes = [(module, module.training) for module in model.modules()]
        model.eval()
        alike = [one for one in _run(trainer, rows) if _alike(one.why, error)]
        for module, mode in modes:
            module.training = mode
    return alike


def _run(trainer: "Trainer", rows: Sequence[_Try]) -> list[_Failure]:
    failing = []
    for number, make in rows:
        row: Any = {}
        try:
            row = trainer._prepare_inputs(make())
            _try(trainer, row)
        except Exception as caught:
            failing.append(_Failure(number, caught, row))
    return failing


def _try(trainer: "Trainer", row: Any) -> None:
    with torch.no_grad(), precision.autocast(trainer.args, trainer.device):
        trainer.compute_loss(trainer.model, row, **count_for(trainer, row))


def _alike(one: Exception, other: Exception) -> bool:
    """Whether two errors say the same but for its numbers."""
    said, also = (re.sub(r"-?\d[\d., ]*", "0", str(error)) for error in (one, other))
    return type(one) is type(other) and said == also


def _lies_in_the_row(trainer: "Trainer", failure: _Failure) -> bool:
    """Whether what a row holds is to blame, though no other row shows that one can be run."""
    refused = isinstance(failure.why, ValueError) and not isinstance(failure.why, ModelryError)
    return refused or bool(_unfit(trainer, failure))


def _words(trainer: "Trainer", failure: _Failure) -> str:
    """What is wrong with a row; where torch says it, in a form that shows the row too."""
    said = f"{type(failure.why).__name__}: {' '.join(str(failure.why).split())}"
    more = _unfit(trainer, failure)
    if not more and _is_of_torch(failure.why):
        more = ", ".join(
            f"{name} {str(one.dtype).removeprefix('torch.')} {tuple(one.shape)}"
            for name, one in failure.row.items()
            if isinstance(one, torch.Tensor)
        )
    return f"{said} ({more})" if more else said


def _unfit(trainer: "Trainer", failure: _Failure) -> str:
    """What torch's own words leave out: the ids that do not fit, or labels that are no whole numbers and need to be."""
    if not isinstance(failure.row, dict):
        return ""
    if unknown := _unknown_ids(trainer.model, failure.row):
        return unknown
    measures = {
        name: failure.row[name]
        for name in trainer.label_names
        if isinstance(failure.row.get(name), torch.Tensor) and failure.row[name].is_floating_point()
    }
    if not measures:
        return ""
    try:
        _try(trainer, {**failure.row, **{name: one.long() for name, one in measures.items()}})
    except Exception:
        return ""
    kinds = ", ".join(f"{name} is {str(one.dtype).removeprefix('torch.')}" for name, one in measures.items())
    return f"{kinds}: whole numbers fit"


def _is_of_torch(error: Exception) -> bool:
    """Whether torch has raised it."""
    frames = list(traceback.walk_tb(error.__traceback__))
    return bool(frames) and frames[-1][0].f_globals.get("__name__", "").partition(".")[0] == "torch"


def _accuse(found: Sequence[tuple[int, str]], error: Exception, *, what: str, where: str, ending: str = "") -> None:
    """Raise where there are rows to be named, each once."""
    reasons = dict(found)
    if not reasons:
        return
    several, words = len(reasons) > 1, list(dict.fromkeys(reasons.values()))
    said = words[0]
    if len(words) > 1:
        said = "; ".join(f"row {number}: {why}" for number, why in list(reasons.items())[:_SAID])
        said += "; …" * (len(reasons) > _SAID)
    if ending:
        said += f"{ending}again without {'these rows' if several else 'this row'}, from the last checkpoint"
    rows = f"row{'s' * several} {_listed(list(reasons))}"
    raise BadRow(f"{rows} of the {what} cannot be run, {where}: {said}") from error


_SAID, _LISTED = 3, 20
"""Rows whose reasons are told, and whose numbers are."""


def _listed(numbers: Sequence[int]) -> str:
    more = f" and {len(numbers) - _LISTED} more" if len(numbers) > _LISTED else ""
    return (", ".join(map(str, numbers[:_LISTED])) or "unknown") + more


def _has_ended_the_gpu(error: Exception) -> bool:
    """Whether a GPU's own check of an index has failed: whatever is asked of it afterwards fails too."""
    return isinstance(error, torch.AcceleratorError) and "device-side assert" in str(error)


def _misfit(trainer: "Trainer", row: Any) -> str:
    """What id or label of a row the model does not have. Nothing is run: rows are on the CPU."""
    model: Any = trainer.model
    ignored = (IGNORED, getattr(getattr(model, "config", None), "semantic_loss_ignore_index", IGNORED))
    return _unknown_ids(model, row) or _outside(row, "labels", _classes(model), ignored=ignored)


def _unknown_ids(model: Any, row: Any) -> str:
    find = getattr(model, "get_input_embeddings", None)
    if find is None or "input_ids" not in row:
        return ""
    count = getattr(find(), "num_embeddings", None)
    ids = row["input_ids"]
    if count is not None and isinstance(ids, torch.Tensor) and ids.is_floating_point():
        return f"input_ids is {str(ids.dtype).removeprefix('torch.')}: whole numbers from 0 to {count - 1} fit"
    return _outside(row, "input_ids", count)


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
