"""Trials that learn from each other, by optuna, where it is installed."""

from typing import Any

from modelry_trainer.errors import ArgumentsError


class OptunaStudy:
    """A study of optuna.

    Args:
        options: of `optuna.create_study`: sampler, pruner, storage, study_name …
    """

    def __init__(self, *, direction: str, seed: int, **options: Any) -> None:
        try:
            import optuna
        except ImportError as error:
            raise ArgumentsError(
                "backend is 'optuna', which is not installed: pip install optuna, or use 'random' or 'grid'"
            ) from error
        self._states: Any = optuna.trial.TrialState
        options.setdefault("sampler", optuna.samplers.TPESampler(seed=seed))
        create: Any = optuna.create_study
        self._study: Any = create(direction=direction, **options)

    def ask(self) -> Any:
        """The next trial."""
        return self._study.ask()

    def tell(self, trial: Any, value: float | None, *, pruned: bool = False) -> None:
        """How good it was; None where it failed."""
        if pruned:
            self._study.tell(trial, state=self._states.PRUNED)
        elif value is None:
            self._study.tell(trial, state=self._states.FAIL)
        else:
            self._study.tell(trial, value)
