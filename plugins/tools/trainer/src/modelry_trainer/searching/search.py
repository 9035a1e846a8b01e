"""`Trainer.hyperparameter_search`: trainings with arguments that a study chooses, each from a new model."""

import inspect
import math
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from modelry.errors import ModelryWarning
from modelry_trainer.callbacks.events import TrainerCallback
from modelry_trainer.callbacks.standard import standard_callbacks
from modelry_trainer.errors import ArgumentsError, LossIsNaN
from modelry_trainer.searching.optuna_study import OptunaStudy
from modelry_trainer.searching.trials import GridStudy, RandomStudy, as_space

if TYPE_CHECKING:
    from modelry_trainer.arguments import TrainingArguments
    from modelry_trainer.state import TrainerControl, TrainerState
    from modelry_trainer.trainer import Trainer

BACKENDS: Mapping[str, Callable[..., Any]] = {"random": RandomStudy, "grid": GridStudy, "optuna": OptunaStudy}
_NO_RESULT = re.compile(r"(?:^|_)(?:epoch|runtime|\w+_per_second|loss)$")


class BestRun(NamedTuple):
    """The best trial."""

    run_id: str
    objective: float
    hyperparameters: dict[str, Any]
    run_summary: Any = None


def default_objective(metrics: Mapping[str, float]) -> float:
    """The loss of an evaluation without metrics; else the sum of the metrics."""
    found = [value for name, value in metrics.items() if not _NO_RESULT.search(name)]
    return float(sum(found)) if found else float(metrics["eval_loss"])


class _Watch(TrainerCallback):
    """Remembers how good a trial is, and ends one that its study gives up.

    Args:
        whole: whether an evaluation is told of as a whole, and not one data set at a time.
    """

    def __init__(self, run: "_Run", objective: Callable[[dict[str, float]], float], *, whole: bool) -> None:
        self.trial, self.name, self.chosen = run.trial, run.name, run.chosen
        self.objective, self.whole = objective, whole
        self.value: float | None = None
        self.pruned = False

    def on_train_begin(
        self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **more: Any
    ) -> None:
        """Say in the state what runs."""
        state.is_hyper_param_search, state.trial_name, state.trial_params = True, self.name, self.chosen

    def on_evaluate(
        self,
        args: "TrainingArguments",
        state: "TrainerState",
        control: "TrainerControl",
        metrics: dict[str, float] | None = None,
        **more: Any,
    ) -> None:
        """The last evaluation counts."""
        if not self.whole:
            return
        self.value = float(self.objective(dict(metrics or {})))
        report: Any = getattr(self.trial, "report", None)
        if report is not None and math.isfinite(self.value):
            report(self.value, state.global_step)
            if self.trial.should_prune():
                self.pruned = control.should_training_stop = True


def search(
    trainer: "Trainer",
    *,
    hp_space: Any,
    compute_objective: Callable[[dict[str, float]], float] | None,
    n_trials: int,
    direction: str,
    backend: str | None,
    hp_name: Callable[[Any], str] | None,
    **options: Any,
) -> BestRun:
    """See `Trainer.hyperparameter_search`."""
    if trainer.model_init is None:
        raise ArgumentsError("every trial begins with a new model: give Trainer a model_init in place of a model")
    if direction not in ("minimize", "maximize"):
        raise ArgumentsError(f"direction is {direction!r}: write 'minimize' or 'maximize'; one objective is looked at")
    name = str(getattr(backend, "value", backend or "random"))
    if name not in BACKENDS:
        raise ArgumentsError(f"backend is {name!r}: there are {', '.join(map(repr, BACKENDS))}")
    before, mine = trainer.args, list(trainer.callback_handler.callbacks)
    study = BACKENDS[name](direction=direction, seed=before.seed, **options)
    space, best = as_space(hp_space), None
    try:
        for _ in range(n_trials):
            trial = study.ask()
            if trial is None:
                break
            chosen = dict(space(trial))
            run = _Run(trainer, before, trial, chosen, hp_name)
            value, pruned = run.result(compute_objective or default_objective)
            study.tell(trial, value, pruned=pruned)
            better = best is None or (value is not None and (value - best.objective) * _sign(direction) > 0)
            if value is not None and not pruned and better:
                best = BestRun(str(trial.number), value, chosen)
            trainer.callback_handler.callbacks = list(mine)
    finally:
        trainer.args, trainer.callback_handler.callbacks = before, mine
        trainer.trial = None
    if best is None:
        raise ArgumentsError("no trial gave an objective: all failed, or were given up. Look at the warnings above")
    return best


def _sign(direction: str) -> int:
    return 1 if direction == "maximize" else -1


class _Run:
    """One trial: the trainer with other arguments, in a folder of its own."""

    def __init__(
        self,
        trainer: "Trainer",
        before: "TrainingArguments",
        trial: Any,
        chosen: dict[str, Any],
        hp_name: Callable[[Any], str] | None,
    ) -> None:
        self.trainer, self.trial, self.chosen = trainer, trial, chosen
        fields = {name: value for name, value in chosen.items() if name in type(before).model_fields}
        model_init: Any = trainer.model_init
        if fields.keys() != chosen.keys() and not inspect.signature(model_init).parameters:
            strange = ", ".join(sorted(chosen.keys() - fields.keys()))
            raise ArgumentsError(
                f"hp_space gives {strange}, which is no training argument; a model_init that takes one gets the trial "
                "and may read it there"
            )
        self.name = f"run-{trial.number}" if hp_name is None else hp_name(trial)
        output = Path(before.output_dir) / self.name
        given = {**before.model_dump(exclude_unset=True), **fields, "output_dir": str(output)}
        trainer.args = type(before)(**given)
        again = {type(one): one for one in standard_callbacks(trainer.args, trainer.world)}  # reporters begin a new run
        kept = trainer.callback_handler.callbacks
        trainer.callback_handler.callbacks = [again.get(type(one), one) for one in kept]

    def result(self, objective: Callable[[dict[str, float]], float]) -> tuple[float | None, bool]:
        """The objective, None where the loss was no number; and whether the study gave the trial up."""
        trainer = self.trainer
        several = isinstance(trainer.eval_dataset, Mapping)
        watch = _Watch(self, objective, whole=not several)
        trainer.add_callback(watch)
        trainer.trial = self.trial
        try:
            trainer.train()
        except LossIsNaN as error:
            warnings.warn(f"{self.name} failed: {error}", ModelryWarning, stacklevel=4)
            return None, False
        if watch.value is None:
            metrics = trainer.evaluate()
            watch.value = float(objective(dict(metrics))) if several else watch.value
        return (watch.value if watch.value is not None and math.isfinite(watch.value) else None), watch.pruned
