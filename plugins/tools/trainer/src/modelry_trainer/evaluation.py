"""One pass over a data set without learning: the loss, predictions, labels and metrics."""

import copy
import math
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn

from modelry import PreTrainedModel
from modelry.errors import ModelryWarning, OutOfMemory
from modelry_trainer.accumulation import rows_of
from modelry_trainer.blaming import blame
from modelry_trainer.distributed.loaders_of_users import batches_of
from modelry_trainer.distributed.spreading import let_go
from modelry_trainer.distributed.world import World
from modelry_trainer.errors import MetricFailed
from modelry_trainer.feeding import BatchLoader, Fed
from modelry_trainer.memory import ran_out
from modelry_trainer.outputs import to_device
from modelry_trainer.results import Collected, EvalPrediction, plain_value

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments
    from modelry_trainer.trainer import Trainer


_KEPT = (bool, int, float, str, type(None))
"""What a checkpoint can keep of metrics, in lists and mappings too."""


class Evaluated(NamedTuple):
    """Of one pass."""

    predictions: Any
    label_ids: Any
    metrics: dict[str, float]
    num_samples: int


def evaluate_over(
    trainer: "Trainer", loader: Any, *, prefix: str, loss_only: bool, ignore_keys: Any, keeps: bool = False
) -> Evaluated:
    """Run a model over all batches.

    Args:
        prefix: of the names of all metrics.
        loss_only: make no predictions.
        keeps: predictions are wanted even where batch_eval_metrics hands them over batch by batch.

    Raises:
        MetricFailed: compute_metrics raised.
        BadRow: one row cannot be run.
        OutOfMemory: a batch does not fit.
    """
    args, started = trainer.args, time.monotonic()
    names = ("logits", "labels", "inputs")
    kept = {
        name: Collected(move_every=args.eval_accumulation_steps, concatenate=args.eval_do_concat_batches)
        for name in names
    }
    losses: list[np.ndarray] = []
    rows = steps = 0
    metrics: dict[str, float] = {}
    measure = trainer.compute_metrics
    by_batch = args.batch_eval_metrics and measure is not None
    with _resting(trainer.model, trainer.optimizer, args, trainer.world) as model:
        for fed, last in _and_whether_last(loader, trainer.world):
            steps, inputs, counts = steps + 1, fed.batch, fed.counts
            with _named(trainer, fed, loader):
                loss, logits, labels = trainer.prediction_step(model, inputs, loss_only, ignore_keys=ignore_keys)
            if logits is not None and trainer.preprocess_logits_for_metrics is not None:
                logits = _kept_of(trainer, logits, labels)
            seen = inputs.get(trainer.main_input_name) if "inputs" in args.include_for_metrics else None
            before = len(losses)
            handed = {name: Collected(move_every=None, concatenate=True) for name in names}
            takers = [handed] if by_batch and not keeps else [kept, handed] if by_batch else [kept]
            for part in _of_all(trainer, (rows_of(inputs) if counts else 0, loss, logits, labels, seen)):
                count, loss, *kinds = part
                rows += count
                if loss is not None:
                    losses.append(np.full(count, float(loss), dtype=np.float64))
                for taker, (name, value) in product(takers, zip(names, kinds, strict=True)):
                    taker[name].add(value)
            trainer.tell("on_prediction_step", eval_dataloader=loader)
            if by_batch and logits is not None:
                metrics = _measured(trainer, _handed(trainer, handed, losses[before:]), compute_result=last)
    predictions, label_ids = kept["logits"].all(), kept["labels"].all()
    if measure is not None and not by_batch and predictions is not None and label_ids is not None:
        given = EvalPrediction(predictions, label_ids, kept["inputs"].all(), _losses(trainer, losses))
        metrics = _measured(trainer, given)
    if losses:
        metrics[f"{prefix}_loss"] = _mean(np.concatenate(losses), finite_only=args.logging_nan_inf_filter)
    metrics = {name if name.startswith(f"{prefix}_") else f"{prefix}_{name}": value for name, value in metrics.items()}
    seconds = max(time.monotonic() - started, 1e-9)
    metrics[f"{prefix}_runtime"] = round(seconds, 4)
    metrics[f"{prefix}_samples_per_second"] = round(rows / seconds, 3)
    metrics[f"{prefix}_steps_per_second"] = round(steps / seconds, 3)
    return Evaluated(predictions, label_ids, metrics, rows)


@contextmanager
def at_rest(optimizer: Any) -> Iterator[bool]:
    """Inside the block the weights are those to be used, of optimizers (schedule-free) that learn at other ones.

    Yields:
        Whether they are others now.
    """
    rests = callable(getattr(optimizer, "eval", None)) and optimizer.param_groups[0].get("train_mode", True)
    if rests:
        optimizer.eval()
    try:
        yield rests
    finally:
        if rests:
            optimizer.train()


@contextmanager
def _resting(model: nn.Module, optimizer: Any, args: "TrainingArguments", world: World) -> Iterator[nn.Module]:
    modes = [(module, module.training) for module in model.modules()]
    with at_rest(optimizer), torch.no_grad():
        shown = model.eval()
        if args.bf16_full_eval or args.fp16_full_eval:  # a copy: the weights that learn keep their precision
            shown = _narrowed(model, torch.bfloat16 if args.bf16_full_eval else torch.float16)
        try:
            yield shown
        finally:
            for module, mode in modes:
                module.training = mode
            let_go(model, world)


def _narrowed(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """A copy as it would be loaded in that dtype: families keep some parameters in float32."""
    made = copy.deepcopy(model)
    if not isinstance(made, PreTrainedModel):
        return made.to(dtype)
    made.cast_parameters(dtype)
    return made


def _of_all(trainer: "Trainer", part: tuple[Any, ...]) -> list[Any]:
    """What the processes have of one step, in the order of the data set; nothing of one that had no rows left."""
    if trainer.world.data_size == 1:
        return [part]
    return [one for one in trainer.world.gathered(to_device(part, torch.device("cpu"))) if one[0]]


@contextmanager
def _named(trainer: "Trainer", fed: Fed, loader: Any) -> Iterator[None]:
    """What goes wrong inside is brought home to its row."""
    try:
        yield
    except Exception as error:
        if ran_out(error):
            raise OutOfMemory(
                f"memory ran out on a batch of {rows_of(fed.batch)} rows in an evaluation: a smaller "
                "per_device_eval_batch_size, eval_accumulation_steps or preprocess_logits_for_metrics take less "
                f"({' '.join(str(error).split())[:200]})"
            ) from error
        what = getattr(loader, "what", "eval data set")
        blame(trainer, [fed], error, loader=loader, what=what, where="in an evaluation")
        raise


def _mean(losses: np.ndarray, *, finite_only: bool) -> float:
    """Over all rows; of those whose loss is a number, where there are some."""
    finite = losses[np.isfinite(losses)]
    if not finite_only or not 0 < len(finite) < len(losses):
        return float(losses.mean())
    warnings.warn(
        f"the loss of {len(losses) - len(finite)} of {len(losses)} rows is no number: the mean is that of the others; "
        "logging_nan_inf_filter=False counts them",
        ModelryWarning,
        stacklevel=4,
    )
    return float(finite.mean())


def _and_whether_last(loader: Any, world: World) -> Iterator[tuple[Fed, bool]]:
    """Batches, and whether they are the last ones."""
    batches = loader.epoch(0) if isinstance(loader, BatchLoader) else batches_of(loader, world)
    held = next(batches, None)
    while held is not None:
        following = next(batches, None)
        yield held, following is None
        held = following


def _kept_of(trainer: "Trainer", logits: Any, labels: Any) -> Any:
    """What preprocess_logits_for_metrics leaves of them."""
    keep: Any = trainer.preprocess_logits_for_metrics
    try:
        return keep(logits, labels)
    except Exception as error:
        raise MetricFailed(f"preprocess_logits_for_metrics raised {type(error).__name__}: {error}") from error


def _losses(trainer: "Trainer", losses: list[np.ndarray]) -> Any:
    return np.concatenate(losses) if "loss" in trainer.args.include_for_metrics and losses else None


def _handed(trainer: "Trainer", kept: dict[str, Collected], losses: list[np.ndarray]) -> EvalPrediction:
    return EvalPrediction(kept["logits"].all(), kept["labels"].all(), kept["inputs"].all(), _losses(trainer, losses))


def _measured(trainer: "Trainer", given: EvalPrediction, **more: Any) -> dict[str, float]:
    """What compute_metrics finds: in the first process, for all."""
    measure: Any = trainer.compute_metrics
    cause: list[Exception] = []

    def attempt() -> Any:
        try:
            found = measure(given, **more)
            plain = {} if found is None else plain_value(dict(found)) if isinstance(found, Mapping) else found
        except Exception as error:
            cause.append(error)
            return f"compute_metrics raised {type(error).__name__}: {error}"
        if not isinstance(plain, dict):
            return f"compute_metrics returns a {type(found).__name__}: return names and their values, a mapping"
        for name, value in plain.items():
            if not isinstance(name, str):
                return f"compute_metrics returns a value named {name!r}: names are texts"
            for odd in _not_kept(value):
                return f"compute_metrics returns a {type(odd).__name__} as {name!r}: return numbers, texts or lists"
        return plain

    metrics = trainer.world.told(attempt)
    if isinstance(metrics, str):
        raise MetricFailed(metrics) from (cause[0] if cause else None)
    plain: dict[str, float] = metrics
    return plain


def _not_kept(value: Any) -> Iterator[Any]:
    """What a checkpoint cannot keep of a value: other objects, and whole numbers that no float is near to."""
    if isinstance(value, dict):
        yield from (name for name in value if not isinstance(name, str))
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _not_kept(one)
    elif not isinstance(value, _KEPT) or (isinstance(value, int) and abs(value) > sys.float_info.max):
        yield value


def is_best(trainer: "Trainer", metrics: Mapping[str, float]) -> bool:
    """Whether the metric that is watched is better than ever; remembers it."""
    args, state = trainer.args, trainer.state
    if args.metric_for_best_model is None:
        return False
    value, best = watched(args, metrics), state.best_metric
    if math.isnan(value):
        return False
    if best is not None and not (value > best if args.greater_is_better else value < best):
        return False
    state.best_metric, state.best_global_step = value, state.global_step
    if trainer.checkpointed is not None and trainer.checkpointed[0] == state.global_step:  # saved just before
        state.best_model_checkpoint = trainer.checkpointed[1]
    return True


def watched(args: "TrainingArguments", metrics: Mapping[str, float]) -> float:
    """The value of metric_for_best_model.

    Raises:
        MetricFailed: no metric has this name, or it is no number.
    """
    name = str(args.metric_for_best_model)
    name = name if name.startswith("eval_") else f"eval_{name}"
    if name not in metrics:
        raise MetricFailed(f"metric_for_best_model is {name!r}, and an evaluation gives {', '.join(metrics)}")
    value: Any = metrics[name]
    if not isinstance(value, int | float):
        raise MetricFailed(f"metric_for_best_model is {name!r}, and its value {value!r:.60} is no number")
    return float(value)
