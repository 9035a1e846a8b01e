"""Every schedule against transformers' own, at every step and beyond the last; and what is refused."""

import inspect
import warnings

import pytest
import torch
import transformers
from transformers import get_scheduler

import modelry
from modelry.errors import ParameterError
from modelry_registry import UnknownName, get_registry
from modelry_trainer import schedule_functions
from modelry_trainer.schedules import follows_metric, make_schedule

STEPS, RATE = 40, 3e-3


def optimizer() -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=RATE)


def rates(made: object, moved: torch.optim.Optimizer, *metrics: float) -> list[float]:
    found = [moved.param_groups[0]["lr"]]
    for number in range(STEPS + 5):
        moved.step()
        made.step(*(metrics[number % len(metrics)],) if metrics else ())  # type: ignore[attr-defined]  # a schedule
        found.append(moved.param_groups[0]["lr"])
    return found


@pytest.mark.parametrize("warmup", [0, 1, 7])
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("linear", {}),
        ("cosine", {}),
        ("cosine", {"num_cycles": 1.5}),
        ("cosine_with_restarts", {"num_cycles": 3}),
        ("polynomial", {}),
        ("polynomial", {"power": 2.0, "lr_end": 1e-4}),
        ("constant", {}),
        ("constant_with_warmup", {}),
        ("inverse_sqrt", {}),
        ("inverse_sqrt", {"timescale": 9}),
        ("cosine_with_min_lr", {"min_lr": 1e-4}),
        ("cosine_with_min_lr", {"min_lr_rate": 0.1, "num_cycles": 1.0}),
        ("cosine_warmup_with_min_lr", {"min_lr_rate": 0.1}),
        ("cosine_warmup_with_min_lr", {"min_lr": 1e-4, "warmup_lr_rate": 0.05}),
        ("warmup_stable_decay", {"num_decay_steps": 10}),
        ("warmup_stable_decay", {"num_decay_steps": 9, "decay_type": "linear", "warmup_type": "cosine"}),
        ("warmup_stable_decay", {"num_decay_steps": 9, "decay_type": "1-sqrt", "warmup_type": "1-sqrt"}),
        ("warmup_stable_decay", {"num_decay_steps": 9, "num_stable_steps": 5, "min_lr_ratio": 0.1}),
    ],
)
def test_equal_to_the_published_ones(name: str, parameters: dict, warmup: int) -> None:
    ours, theirs = optimizer(), optimizer()
    made = make_schedule(name, ours, warmup_steps=warmup, total_steps=STEPS, parameters=parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        published = get_scheduler(name, theirs, warmup, STEPS, scheduler_specific_kwargs=parameters)
    assert rates(made, ours) == pytest.approx(rates(published, theirs), rel=1e-12, abs=1e-18)


def test_reduce_on_plateau() -> None:
    ours, theirs = optimizer(), optimizer()
    parameters = {"patience": 2, "factor": 0.5, "min_lr": 1e-5}
    made = make_schedule("reduce_lr_on_plateau", ours, warmup_steps=0, total_steps=STEPS, parameters=parameters)
    published = get_scheduler("reduce_lr_on_plateau", theirs, scheduler_specific_kwargs=parameters)
    found = rates(made, ours, 1.0, 0.9, 0.95)
    assert found == rates(published, theirs, 1.0, 0.9, 0.95)
    assert found[-1] < RATE
    assert follows_metric("reduce_lr_on_plateau")
    assert not follows_metric("linear")


def test_a_state_goes_on_where_it_was() -> None:
    whole, first, second = optimizer(), optimizer(), optimizer()
    expected = rates(make_schedule("cosine", whole, warmup_steps=5, total_steps=STEPS), whole)
    begun = make_schedule("cosine", first, warmup_steps=5, total_steps=STEPS)
    for _ in range(12):
        first.step()
        begun.step()
    again = make_schedule("cosine", second, warmup_steps=5, total_steps=STEPS)
    again.load_state_dict(begun.state_dict())
    second.load_state_dict(first.state_dict())
    assert rates(again, second)[:30] == expected[12:42]


def test_every_name_is_listed() -> None:
    assert set(get_registry().names("schedules")) >= {
        "linear", "cosine", "cosine_with_restarts", "polynomial", "constant", "constant_with_warmup", "inverse_sqrt",
        "reduce_lr_on_plateau", "cosine_with_min_lr", "cosine_warmup_with_min_lr", "warmup_stable_decay",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("cosine", {"num_cycle": 1}, "has no parameter 'num_cycle': did you mean num_cycles"),
        ("linear", {"power": 2}, "it takes none"),
        ("warmup_stable_decay", {}, "must be told num_decay_steps"),
        ("warmup_stable_decay", {"num_decay_steps": 3, "decay_type": "cubic"}, "decay_type is 'cubic'"),
        ("warmup_stable_decay", {"num_decay_steps": 36}, "more than the 40 steps"),
        ("polynomial", {"lr_end": 1.0}, "lr_end is 1, which is not below the learning rate of 0.003"),
        ("polynomial", {"power": -1}, "cannot be made with power=-1: 0.0 cannot be raised"),
        ("polynomial", {"lr_end": -1.0}, "step 6 has -.* times the learning rate"),
        ("inverse_sqrt", {"timescale": -3}, "cannot be made with timescale=-3: "),
        ("cosine", {"num_cycles": "x"}, "has num_cycles 'x': input should be a valid number"),
        ("cosine_with_min_lr", {"min_lr": 1.0}, "the lowest rate is 333.333 times the learning rate of 0.003"),
        ("cosine_with_min_lr", {}, "neither was given"),
        ("cosine_with_min_lr", {"min_lr": 0.0, "min_lr_rate": 0.1}, "both were given"),
        ("reduce_lr_on_plateau", {}, "has no warm-up; 5 warm-up steps were asked for"),
    ],
)
def test_refusals(name: str, parameters: dict, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        make_schedule(name, optimizer(), warmup_steps=5, total_steps=STEPS, parameters=parameters)


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownName, match=r"learning rate schedule 'cosin'.*Did you mean cosine"):
        make_schedule("cosin", optimizer(), warmup_steps=0, total_steps=STEPS)


FUNCTIONS = sorted(name for name in vars(schedule_functions) if name.startswith("get_"))
SHORT = {"num_warmup_steps": 2, "num_training_steps": STEPS, "num_decay_steps": 3, "min_lr": 1e-4}


@pytest.mark.parametrize("last", [-1, 4])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_scripts(name: str, last: int) -> None:
    """With the published arguments; also those that go on after a step."""
    found = []
    ours, theirs = getattr(modelry, name), getattr(transformers, name)
    known = inspect.signature(ours).parameters
    published = inspect.signature(theirs).parameters
    assert [(one.name, one.default) for one in known.values()] == [
        (one.name, one.default) for one in published.values()
    ]
    for function in (ours, theirs):
        moved = optimizer()
        moved.param_groups[0]["initial_lr"] = RATE
        given = {key: value for key, value in {**SHORT, "last_epoch": last}.items() if key in known}
        found.append(rates(function(moved, **given), moved, *([0.5] if "plateau" in name else [])))
    assert found[0] == pytest.approx(found[1], rel=1e-12, abs=1e-18)
