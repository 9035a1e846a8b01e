"""The gradients of one step: of all parts of its batches, each with the weight that makes them those of the whole.

Where memory runs out and smaller batches are asked for (auto_find_batch_size), the step is done again in smaller parts:
the same gradients. An error in the middle of a batch is brought home to its row.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from modelry.errors import ModelryWarning, OutOfMemory
from modelry_trainer.accumulation import counted, divided, rows_of, weighing_of
from modelry_trainer.blaming import blame
from modelry_trainer.checkpoints.randomness import random_states, set_random_states
from modelry_trainer.distributed.spreading import add_up_scalars, holding_gradients
from modelry_trainer.errors import TrainingError
from modelry_trainer.feeding import Fed
from modelry_trainer.memory import ran_out, release
from modelry_trainer.state import Place

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer


class Gradients:
    """Fills the gradients of a trainer's model, step after step."""

    def __init__(self, trainer: "Trainer", place: Place, loader: Any) -> None:
        self.trainer, self.place, self.loader = trainer, place, loader
        self._weighing = weighing_of(trainer.model, by_labels=trainer.compute_loss_func is not None)
        self._labels = next(iter(trainer.label_names), "labels")
        self.items = 0
        """Labels that counted in the step."""

    def of_step(self, group: Sequence[Fed]) -> float:
        """Fill the gradients from zero; the loss of all rows together.

        Raises:
            OutOfMemory: and smaller batches are not asked for, or there are none.
            BadRow: one row cannot be run.
        """
        trainer, place = self.trainer, self.place
        for _, batch, _ in group:
            if not isinstance(batch, Mapping):
                raise TrainingError(
                    f"data_collator returns a {type(batch).__name__}: return a mapping, forward's arguments by name"
                )
        before = random_states() if trainer.args.auto_find_batch_size else None
        while True:
            try:
                loss = self._accumulated(group)
                break
            except Exception as error:
                if not ran_out(error):
                    self._blame(group, error)
                    raise
                rows = max(rows_of(fed.batch) for fed in group)
                if before is None or place.parts >= rows:
                    raise OutOfMemory(_advice(rows, place.parts, asked=before is not None, error=error)) from error
                words = str(error)
            place.parts *= 2  # outside of the handler, where nothing holds the failed step's tensors any more
            warnings.warn(
                f"memory ran out in step {trainer.state.global_step + 1} ({words[:100]}): batches of {rows} rows are "
                f"now run in {place.parts} parts, with the same gradients",
                ModelryWarning,
                stacklevel=3,
            )
            trainer.model.zero_grad()
            release(trainer.device)
            set_random_states(before)
        seen = sum(self._tokens(fed.batch) for fed in group if fed.counts)
        operations = sum(trainer.floating_point_ops(fed.batch) for fed in group if fed.counts)
        trainer.state.total_flos += operations * trainer.world.data_size
        loss, tokens = trainer.world.total(loss, seen)
        trainer.state.num_input_tokens_seen += int(tokens)
        return loss

    def _accumulated(self, group: Sequence[Fed]) -> float:
        trainer, parts = self.trainer, self.place.parts
        pieces = [
            (one, counts) for _, batch, counts in group for one in (divided(batch, parts) if parts > 1 else [batch])
        ]
        trainer.current_gradient_accumulation_steps = len(pieces)
        counts = [counted(one, self._weighing, name=self._labels) if counts else 0 for one, counts in pieces]
        total = self._of_all(sum(counts))
        self.items = whole = int(total)
        total_loss: Tensor | float = 0.0
        for number, ((piece, _), count) in enumerate(zip(pieces, counts, strict=True)):
            trainer.part_of_batch = int(count) / whole if whole else 1 / (len(pieces) * trainer.world.data_size)
            if self._weighing.added and count:
                trainer.part_of_batch = 1.0
            with holding_gradients(trainer.model_wrapped, last=number + 1 == len(pieces)):
                total_loss = total_loss + trainer.training_step(trainer.model_wrapped, piece, num_items_in_batch=total)
            if number + 1 < len(pieces):
                trainer.tell("on_substep_end")
        add_up_scalars(trainer.model_wrapped, trainer.world)
        return float(total_loss)

    def _of_all(self, count: Tensor | int) -> Tensor | int:
        """Labels that count in the whole step: of all processes, or as if all that have any had as many as this one."""
        world = self.trainer.world
        if world.data_size == 1:
            return count
        if not self.trainer.args.average_tokens_across_devices:
            have = int(world.total(bool(count))[0])  # a process that only keeps others company has none
            return max(int(count), 1) * max(have, 1)
        return torch.tensor(int(world.total(int(count))[0]))

    def _tokens(self, batch: Mapping[str, Any]) -> int:
        """Elements of the main input, or those that are no padding."""
        trainer = self.trainer
        main, mask = batch.get(trainer.main_input_name), batch.get("attention_mask")
        if trainer.args.include_num_input_tokens_seen == "non_padding" and isinstance(mask, Tensor):
            return int(mask.ne(0).sum())
        return main.numel() if isinstance(main, Tensor) else 0

    def _blame(self, group: Sequence[Fed], error: Exception) -> None:
        """Name the row of the step that cannot be run.

        Raises:
            BadRow: there is one.
        """
        step = self.trainer.state.global_step + 1
        try:
            blame(self.trainer, group, error, loader=self.loader, what="train data set", where=f"in step {step}")
        finally:
            self.trainer.model.zero_grad()


def _advice(rows: int, parts: int, *, asked: bool, error: Exception) -> str:
    more = (
        f"even single rows do not fit (batches of {rows} rows ran in {parts} parts)"
        if asked
        else "auto_find_batch_size=True runs smaller batches by itself"
    )
    return (
        f"memory ran out on a batch of {rows} rows: {more}; gradient_checkpointing=True, bf16=True or shorter rows "
        f"take less ({' '.join(str(error).split())[:200]})"
    )
