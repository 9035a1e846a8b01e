"""A batch that cannot be run is brought home to its row."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from modelry_trainer.accumulation import divided, rows_of
from modelry_trainer.distributed.gathering import is_divided
from modelry_trainer.errors import BadRow
from modelry_trainer.feeding import Fed

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer


def blame(trainer: "Trainer", group: Iterable[Fed], error: Exception, *, what: str, where: str) -> None:
    """Run rows one by one; name the one that fails where others do not, or all of them in a note on the error.

    Args:
        what: the data set.
        where: in the training.

    Raises:
        BadRow: exactly one row fails alone.
    """
    batches, failing, fine = list(group), [], 0
    alone = batches if trainer.world.mesh is None or not is_divided(trainer.model) else ()
    for rows, batch, _ in alone:  # a divided model runs in all processes or in none
        for number, row in zip(rows, divided(batch, rows_of(batch)), strict=False):
            try:
                with torch.no_grad():
                    trainer.compute_loss(trainer.model, trainer.prepare_inputs(row))
                fine += 1
            except Exception as caught:
                failing.append((number, caught))
    if len(failing) == 1 and fine:
        number, why = failing[0]
        raise BadRow(f"row {number} of the {what} cannot be run, {where}: {type(why).__name__}: {why}") from error
    named = ", ".join(str(row) for fed in batches for row in fed.rows) or "unknown"
    error.add_note(f"{where}, rows {named} of the {what}")
