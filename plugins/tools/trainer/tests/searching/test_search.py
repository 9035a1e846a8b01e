"""A search finds the better arguments, each trial from a new model and in a folder of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from modelry.errors import ModelryWarning
from modelry_trainer import Trainer, TrainerCallback, TrainingArguments
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.searching.trials import GridStudy, RandomStudy

Searching = Callable[..., Trainer]


@pytest.fixture
def searching(slope: nn.Module, points: list[Any], tmp_path: Path) -> Searching:
    def make(model_init: Any = None, **more: Any) -> Trainer:
        values = {
            "max_steps": 3,
            "report_html": False,
            "save_strategy": "no",
            "eval_strategy": "steps",
            "eval_steps": 1,
        }
        arguments = TrainingArguments(tmp_path / "out", **{**values, **more.pop("values", {})})
        init = type(slope) if model_init is None else model_init
        return Trainer(args=arguments, model_init=init, train_dataset=points, eval_dataset=points, **more)

    return make


def test_all_combinations(searching: Searching) -> None:
    seen: list[tuple[float, int, str]] = []

    class Listener(TrainerCallback):
        def on_train_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            seen.append((args.learning_rate, args.per_device_train_batch_size, Path(args.output_dir).name))
            assert state.is_hyper_param_search
            assert state.trial_params["learning_rate"] == args.learning_rate

    trainer = searching(callbacks=[Listener])
    space = {"learning_rate": [1e-3, 0.3], "per_device_train_batch_size": [8, 24]}
    best = trainer.hyperparameter_search(space, backend="grid", n_trials=9)
    assert [(rate, size) for rate, size, _ in seen] == [(1e-3, 8), (1e-3, 24), (0.3, 8), (0.3, 24)]
    assert [name for _, _, name in seen] == ["run-0", "run-1", "run-2", "run-3"]
    assert best.hyperparameters["learning_rate"] == 0.3
    assert best.run_id in ("2", "3")
    trainer.remove_callback(Listener)
    trainer.args = trainer.args.model_copy(update=best.hyperparameters)
    trainer.train()  # and the best run once more
    assert trainer.evaluate()["eval_loss"] == pytest.approx(best.objective)


def test_at_random_a_seed_decides(searching: Searching) -> None:
    def space(trial: Any) -> dict[str, Any]:
        return {
            "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1.0, log=True),
            "max_steps": trial.suggest_int("max_steps", 1, 3),
        }

    found = [searching().hyperparameter_search(space, n_trials=3, hp_name=lambda one: f"t{one.number}") for _ in "ab"]
    assert found[0] == found[1]
    other = searching().hyperparameter_search(
        space, n_trials=3, direction="maximize", compute_objective=lambda metrics: metrics["eval_loss"]
    )
    assert other.objective > found[0].objective


def test_the_model_may_follow_the_trial(slope: nn.Module, searching: Searching) -> None:
    given: list[Any] = []

    def make(trial: Any) -> nn.Module:
        given.append(None if trial is None else trial.suggest_categorical("width", [3]))
        return type(slope)()

    trainer = searching(make)
    best = trainer.hyperparameter_search({"width": [3], "learning_rate": [0.1]}, backend="grid")
    assert best.hyperparameters == {"width": 3, "learning_rate": 0.1}
    assert given == [None, 3]


def test_without_evaluations_on_the_way_and_with_several_data_sets(
    slope: nn.Module, points: list[Any], tmp_path: Path
) -> None:
    arguments = TrainingArguments(tmp_path, max_steps=2, report_html=False, save_strategy="no")
    data = {"few": points[:4], "more": points}
    trainer = Trainer(args=arguments, model_init=type(slope), train_dataset=points, eval_dataset=data)
    best = trainer.hyperparameter_search(
        {"learning_rate": [0.2]}, backend="grid", compute_objective=lambda found: found["eval_more_loss"]
    )
    assert best.objective == trainer.evaluate()["eval_more_loss"]


def test_a_trial_whose_loss_is_no_number_is_passed_over(searching: Searching) -> None:
    trainer = searching(values={"optim": "sgd", "max_grad_norm": 0, "max_steps": 40})
    with pytest.warns(ModelryWarning, match="run-0 failed: the loss is"):
        best = trainer.hyperparameter_search({"learning_rate": [1e30, 0.01]}, backend="grid")
    assert best.run_id == "1"
    with pytest.warns(ModelryWarning), pytest.raises(ArgumentsError, match="no trial gave an objective"):
        trainer.hyperparameter_search({"learning_rate": [1e30]}, backend="grid")


def test_what_cannot_be_searched(searching: Searching, slope: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(ArgumentsError, match="give Trainer a model_init"):
        Trainer(slope, TrainingArguments(tmp_path)).hyperparameter_search()
    trainer = searching()
    with pytest.raises(ArgumentsError, match="'random', 'grid', 'optuna'"):
        trainer.hyperparameter_search(backend="ray")
    with pytest.raises(ArgumentsError, match="write 'minimize' or 'maximize'"):
        trainer.hyperparameter_search(direction="down")
    with pytest.raises(ArgumentsError, match="gives rate, which is no training argument"):
        trainer.hyperparameter_search({"rate": [1]}, backend="grid")
    with pytest.raises(ArgumentsError, match="learning_rate is -1"):
        trainer.hyperparameter_search({"learning_rate": [-1]}, backend="grid")
    with pytest.raises(ArgumentsError, match="a grid has steps, and x has none"):
        trainer.hyperparameter_search(lambda trial: {"x": trial.suggest_float("x", 0, 1)}, backend="grid")


def test_grids_of_steps() -> None:
    study = GridStudy(direction="minimize", seed=0)
    found = []
    while (trial := study.ask()) is not None:
        found.append((trial.suggest_float("a", 0.0, 1.0, step=0.5), trial.suggest_int("b", 1, 2)))
    assert found == [(0.0, 1), (0.0, 2), (0.5, 1), (0.5, 2), (1.0, 1), (1.0, 2)]


def test_draws_stay_in_their_intervals() -> None:
    study = RandomStudy(direction="minimize", seed=1)
    for _ in range(50):
        trial = study.ask()
        assert 1e-6 <= trial.suggest_float("a", 1e-6, 1e-4, log=True) <= 1e-4
        assert trial.suggest_float("b", 0.0, 1.0, step=0.25) in (0.0, 0.25, 0.5, 0.75, 1.0)
        assert trial.suggest_int("c", 2, 8, step=3) in (2, 5, 8)
        assert 1 <= trial.suggest_int("d", 1, 100, log=True) <= 100


def test_by_optuna(searching: Searching) -> None:
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    def space(trial: Any) -> dict[str, Any]:
        return {"learning_rate": trial.suggest_categorical("learning_rate", [0.3, 1e-9])}

    pruner = optuna.pruners.ThresholdPruner(upper=1.0, n_warmup_steps=25)
    trainer = searching(values={"max_steps": 30})
    best = trainer.hyperparameter_search(space, backend="optuna", n_trials=4, pruner=pruner)
    assert best.hyperparameters == {"learning_rate": 0.3}


def test_the_best_is_plain_data(searching: Searching) -> None:
    best = searching().hyperparameter_search({"learning_rate": [0.1]}, backend="grid")
    assert json.loads(json.dumps(best)) == ["0", best.objective, {"learning_rate": 0.1}, None]
    assert torch.tensor(best.objective).isfinite()
