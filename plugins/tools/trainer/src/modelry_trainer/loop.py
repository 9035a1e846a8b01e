"""The training loop: epochs, steps, the parts of a step; when it logs, evaluates and saves.

All that must go on exactly after an interruption is in `Place`, `TrainerState`, and what the checkpoint has of the
optimizer, the schedule and the generators of random numbers.
"""

import dataclasses
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch

from modelry.errors import ModelryWarning
from modelry.heads.losses import IGNORED
from modelry_trainer.arguments import round_up
from modelry_trainer.checkpoints.randomness import random_states, set_random_states
from modelry_trainer.distributed.loaders_of_users import batches_of, number_of_batches, orders_rows
from modelry_trainer.distributed.spreading import clip
from modelry_trainer.distributed.world import World
from modelry_trainer.errors import ArgumentsError, LossIsNaN, MetricFailed
from modelry_trainer.evaluation import is_best, watched
from modelry_trainer.feeding import BatchLoader, Fed
from modelry_trainer.gradients import Gradients
from modelry_trainer.memory import peak_bytes
from modelry_trainer.optimization import moving
from modelry_trainer.state import Place, TrainerControl, TrainerState

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments
    from modelry_trainer.trainer import Trainer


@dataclass(frozen=True)
class Plan:
    """How long a training is."""

    max_steps: int
    epochs: int
    batches: int | None
    """In an epoch; None where the data does not say."""


def plan(trainer: "Trainer", loader: Any) -> Plan:
    """From the arguments and the number of batches.

    Raises:
        ArgumentsError: neither max_steps nor the length of the data says when to stop; or there is no batch.
    """
    args = trainer.args
    try:
        batches: int | None = number_of_batches(loader, trainer.world)
    except TypeError:
        batches = None
    if batches is None:
        if args.max_steps < 1:
            raise ArgumentsError("train_dataset does not know its length: set max_steps")
        return Plan(args.max_steps, args.max_steps, None)
    if batches == 0:
        raise ArgumentsError("train_dataset gives no batch: it is empty, or dataloader_drop_last leaves nothing of it")
    steps = -(-batches // args.gradient_accumulation_steps)
    if args.max_steps > 0:
        return Plan(args.max_steps, -(-args.max_steps // steps), batches)
    return Plan(math.ceil(args.num_train_epochs * steps), math.ceil(args.num_train_epochs), batches)


def new_state(args: "TrainingArguments", length: Plan) -> TrainerState:
    """The state before the first step; parts of all steps are numbers of steps there."""

    def steps(value: float | None) -> int:
        return 0 if value is None else round_up(value, length.max_steps) if value < 1 else int(value)

    return TrainerState(
        max_steps=length.max_steps,
        num_train_epochs=length.epochs,
        train_batch_size=args.per_device_train_batch_size,
        logging_steps=steps(args.logging_steps),
        eval_steps=steps(args.eval_steps),
        save_steps=steps(args.save_steps),
    )


class Loop:
    """One call of `train`, from the place where it stands to the end."""

    def __init__(self, trainer: "Trainer", loader: Any, plan: Plan, place: Place) -> None:
        self.trainer, self.loader, self.plan, self.place = trainer, loader, plan, place
        self.gradients = Gradients(trainer, place, loader)
        self._clock = time.monotonic()
        self._seen, self._done = trainer.state.num_input_tokens_seen, trainer.state.global_step
        self._begun = self._clock, self._done
        self._begins_anew = place.batch == 0
        if callable(getattr(trainer.optimizer, "train", None)):
            trainer.optimizer.train()

    def run(self) -> None:
        """Train until the last step, or until a callback stops it."""
        trainer, place = self.trainer, self.place
        if place.due:
            for wish in place.due:
                setattr(trainer.control, wish, True)
            place.due = []
            self._log_evaluate_save()
            if trainer.control.should_training_stop:
                return
        while place.epoch < self.plan.epochs:
            if place.epoch_is_cut and trainer.state.global_step < self.plan.max_steps:
                place.epoch_is_over = False
            if not place.epoch_is_over:
                self._epoch()
            if trainer.control.should_training_stop or trainer.state.global_step >= self.plan.max_steps:
                return
            place.epoch, place.batch = place.epoch + 1, 0
            place.epoch_is_over, place.epoch_is_stopped, place.epoch_started = False, False, None
            self._begins_anew = True

    # Epochs

    def _epoch(self) -> None:
        trainer, place = self.trainer, self.place
        trainer.control.should_epoch_stop = False
        batches = self._batches()
        if self._begins_anew:
            trainer.tell("on_epoch_begin")
        before = place.batch
        while trainer.state.global_step < self.plan.max_steps and not place.epoch_is_stopped:
            group = list(islice(batches, trainer.args.gradient_accumulation_steps))
            if not group:
                break
            trainer.tell("on_step_begin")
            self._step(group)
            place.batch += len(group)
            trainer.state.global_step += 1
            expected = self.plan.batches or self.plan.max_steps * trainer.args.gradient_accumulation_steps
            trainer.state.epoch = place.epoch + place.batch / expected
            trainer.tell("on_step_end")
            self._agree()
            self._log_evaluate_save()
            place.epoch_is_stopped = trainer.control.should_epoch_stop
            if trainer.control.should_training_stop:
                break
        unread = self.plan.batches is None or place.batch < self.plan.batches
        place.epoch_is_cut = trainer.control.should_training_stop and unread and not place.epoch_is_stopped
        place.epoch_is_stopped = False
        if place.batch == before == 0:
            warnings.warn(
                f"train_dataset gave no row in epoch {place.epoch} (an iterator can be read only once): the training "
                f"stops after {trainer.state.global_step} of {self.plan.max_steps} steps",
                ModelryWarning,
                stacklevel=2,
            )
            trainer.control.should_training_stop = True
        place.epoch_is_over = True
        trainer.tell("on_epoch_end")
        self._agree()
        self._log_evaluate_save()

    def _batches(self) -> Iterator[Fed]:
        """The rest of the epoch. What is read again on the way there draws what it drew, and disturbs nothing else."""
        place, now = self.place, random_states()
        if place.epoch_started is None:  # a stream that draws gives the same rows in every process, which keeps its own
            streams = self.trainer.world.data_size > 1 and not orders_rows(self.loader)
            place.epoch_started = self.trainer.world.told(random_states) if streams else now
        set_random_states(place.epoch_started)
        batches = epoch_of(self.loader, place.epoch, place.batch, self.trainer.world)
        if place.batch:
            set_random_states(now)
        return batches

    def _agree(self) -> None:
        """What a callback wishes in one process is done in all."""
        control = self.trainer.control
        names = [one.name for one in dataclasses.fields(TrainerControl)]
        wishes = self.trainer.world.wishes([getattr(control, name) for name in names])
        for name, wish in zip(names, wishes, strict=True):
            setattr(control, name, wish)

    # Steps

    def _step(self, group: Sequence[Fed]) -> None:
        trainer, scaler, optimizer = self.trainer, self.trainer.scaler, self.trainer.optimizer
        loss = self.gradients.of_step(group)
        if scaler is not None:
            scaler.unscale_(optimizer)
        self.place.norm = norm = self._clipped()
        measured = math.isfinite(loss) and (scaler is not None or math.isfinite(norm))
        self.place.rate = trainer.get_learning_rate()
        if measured:
            trainer.tell("on_pre_optimizer_step")
            moved = True
            with moving(trainer):
                if scaler is None:
                    optimizer.step()
                else:  # which leaves a step out whose gradients are infinite, and scales by less from then on
                    before = scaler.get_scale()
                    scaler.step(optimizer)
                    scaler.update()
                    moved = scaler.get_scale() >= before
            trainer.tell("on_optimizer_step")
            if moved and not trainer.schedule_follows_metric:
                trainer.lr_scheduler.step()
            self._count(loss)
        else:
            self._no_number(loss, group)
        trainer.model.zero_grad()

    def _clipped(self) -> float:
        """The length of the gradients, before they are clipped where that is asked for."""
        parameters, limit = self.trainer.model.parameters(), self.trainer.args.max_grad_norm or math.inf
        if self.trainer.world.mesh is not None:
            return clip(parameters, limit)
        if limit == math.inf:
            grads = [one.grad for one in parameters if one.grad is not None]
            return float(torch.nn.utils.get_total_norm(grads))
        return float(torch.nn.utils.clip_grad_norm_(parameters, limit))

    def _count(self, loss: float) -> None:
        place = self.place
        place.loss_since_log, place.steps_since_log = place.loss_since_log + loss, place.steps_since_log + 1
        place.loss_total, place.steps_total = place.loss_total + loss, place.steps_total + 1

    def _no_number(self, loss: float, group: Sequence[Fed]) -> None:
        """Leave the step out and count it, or stop before the weights have changed.

        Raises:
            LossIsNaN: nan_loss is "stop".
        """
        trainer = self.trainer
        rows = ", ".join(str(row) for fed in group for row in fed.rows) or "unknown"
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the norm of the gradients is {self.place.norm}"
        where = f"in step {trainer.state.global_step + 1}, rows {rows} of the train data set"
        helps = "A smaller learning_rate, bf16 in place of fp16, or max_grad_norm may help"
        if not self.gradients.items:
            what = f"{what}, for none of the labels counts (all are {IGNORED}),"
            helps = "Leave such rows out; where texts are cut, what is to be learnt may have been behind the cut"
        if trainer.args.nan_loss == "stop":
            kept = trainer.newest_checkpoint()
            raise LossIsNaN(
                f"{what} {where}. The weights are those of the step before; the last checkpoint is {kept or 'none'}. "
                f"{helps}; nan_loss='skip' leaves such steps out and counts them"
            )
        if trainer.scaler is not None:
            trainer.scaler.update()
        trainer.state.skipped_steps += 1
        warnings.warn(f"{what} {where}: the step is left out", ModelryWarning, stacklevel=2)

    # What is due

    def _log_evaluate_save(self) -> None:
        """Each may wish for what comes after it, or for the end."""
        trainer = self.trainer
        if trainer.control.should_log and trainer.state.global_step > self.place.last_logged:
            self._log()
            self._agree()
        trainer.control.should_log = False
        if trainer.control.should_evaluate:
            trainer.control.should_evaluate = False
            better = self.evaluate()
            self._agree()
            if better and trainer.args.save_strategy == "best":
                trainer.control.should_save = True
        if trainer.control.should_save:
            trainer.control.should_save = False
            self.place.epoch_is_stopped = trainer.control.should_epoch_stop
            trainer.save_checkpoint(self.place)
            trainer.tell("on_save")
            self._agree()

    def evaluate(self, *, at_start: bool = False) -> bool:
        """Evaluate on the way; whether it was the best so far.

        Args:
            at_start: nothing has been learnt yet: neither the schedule nor the best goes by it.

        Raises:
            MetricFailed: with the checkpoint in which the model has been kept.
        """
        trainer = self.trainer
        try:
            metrics = trainer.evaluate(ignore_keys=trainer.ignored_in_evaluation)
            if at_start:
                return False
            if trainer.schedule_follows_metric:
                trainer.lr_scheduler.step(watched(trainer.args, metrics))
            return is_best(trainer, metrics)
        except MetricFailed as error:
            if not at_start:
                self.place.due = ["should_evaluate", *(["should_save"] if trainer.control.should_save else [])]
            kept = trainer.save_checkpoint(self.place)
            raise MetricFailed(f"{error}. The model of step {trainer.state.global_step} is kept in {kept}") from error

    def _log(self) -> None:
        trainer, place, now = self.trainer, self.place, time.monotonic()
        step, tokens = trainer.state.global_step, trainer.state.num_input_tokens_seen
        logs: dict[str, float] = {}
        if place.steps_since_log:
            logs["loss"] = place.loss_since_log / place.steps_since_log
        if self.place.norm is not None:
            logs["grad_norm"] = self.place.norm
        logs["learning_rate"] = self.place.rate
        if trainer.state.skipped_steps:
            logs["skipped_steps"] = trainer.state.skipped_steps
        logs["tokens_per_second"] = round((tokens - self._seen) / max(now - self._clock, 1e-9), 1)
        logs["memory_gb"] = round(peak_bytes(trainer.device) / 1e9, 3)
        begun, first = self._begun
        logs["seconds_left"] = round((now - begun) / max(step - first, 1) * (self.plan.max_steps - step), 1)
        self._clock, self._seen = now, tokens
        place.loss_since_log, place.steps_since_log, place.last_logged = 0.0, 0, step
        trainer.log(logs)


def epoch_of(loader: Any, epoch: int, position: int, world: World) -> Iterator[Fed]:
    """The rest of an epoch; of a loader that a subclass made, whose rows nobody knows, by reading it from the start."""
    if isinstance(loader, BatchLoader):
        return loader.epoch(epoch, position)
    for one in (loader, getattr(loader, "sampler", None), getattr(loader, "dataset", None)):
        set_epoch = getattr(one, "set_epoch", None)
        if callable(set_epoch):
            set_epoch(epoch)
    batches = batches_of(loader, world)
    for _ in range(position):
        next(batches, None)
    return batches
