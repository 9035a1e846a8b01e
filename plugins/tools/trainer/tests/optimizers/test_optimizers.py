"""Every optimizer against torch's or transformers' own, or the formula of its paper; states go round bit by bit."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import Adafactor as PublishedAdafactor

from modelry.errors import ParameterError
from modelry_registry import UnknownName, get_registry
from modelry_trainer.optimizers import adam_parameters, make_optimizer, parameter_groups
from modelry_trainer.schedules import make_schedule

NAMES = (
    "adafactor", "adamw_torch", "adamw_torch_fused", "lion", "lion_32bit", "muon", "schedule_free_adamw", "sgd",
)  # fmt: skip
DECAY = 0.1


def same(ours: torch.nn.Module, theirs: torch.nn.Module, *, within: float = 0.0) -> None:
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter, theirs.get_parameter(name), atol=within, rtol=within)


def made(name: str, model: torch.nn.Module, *, rate: float = 1e-2, **parameters: object) -> torch.optim.Optimizer:
    groups = parameter_groups(model, weight_decay=DECAY)
    return make_optimizer(name, groups, learning_rate=rate, parameters=parameters)


def without_marks(model: torch.nn.Module) -> list[dict]:
    return [
        {key: value for key, value in group.items() if key != "matrix"}
        for group in parameter_groups(model, weight_decay=DECAY)
    ]


def test_every_name_is_listed() -> None:
    assert set(get_registry().names("optimizers")) >= set(NAMES)


@pytest.mark.parametrize("name", ["adamw_torch", "adamw_torch_fused"])
def test_adamw(name: str, small: Callable, train: Callable) -> None:
    ours, theirs = small(), small()
    published = torch.optim.AdamW(without_marks(theirs), lr=1e-2, betas=(0.8, 0.95))
    train(theirs, published)
    train(ours, made(name, ours, **adam_parameters(name, betas=(0.8, 0.95), eps=1e-8)))
    same(ours, theirs, within=0.0 if name == "adamw_torch" else 1e-6)


def test_sgd(small: Callable, train: Callable) -> None:
    ours, theirs = small(), small()
    train(theirs, torch.optim.SGD(without_marks(theirs), lr=1e-2, momentum=0.9, nesterov=True))
    train(ours, made("sgd", ours, momentum=0.9, nesterov=True))
    same(ours, theirs)
    assert adam_parameters("sgd", betas=(0.9, 0.999), eps=1e-8) == {}


@pytest.mark.parametrize(
    "parameters",
    [{}, {"beta1": 0.9}, {"scale_parameter": True}, {"scale_parameter": True, "relative_step": True}],
    ids=["plain", "momentum", "scaled", "relative"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_adafactor(parameters: dict, dtype: torch.dtype, small: Callable, train: Callable) -> None:
    ours, theirs = small(dtype), small(dtype)
    theirs_too = {"scale_parameter": False, "relative_step": False, **parameters}
    rate = None if theirs_too["relative_step"] else 1e-2
    train(theirs, PublishedAdafactor(without_marks(theirs), lr=rate, **theirs_too))
    train(ours, made("adafactor", ours, **parameters))
    same(ours, theirs, within=1e-6 if dtype is torch.float32 else 1e-2)


def test_lion_is_the_formula(small: Callable, train: Callable) -> None:
    """Algorithm 2 of https://arxiv.org/abs/2302.06675, written out."""
    model = small()
    optimizer = made("lion", model, rate=1e-3)
    expected = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    momenta = {name: torch.zeros_like(value) for name, value in expected.items()}
    decays = {id(parameter): group["weight_decay"] for group in optimizer.param_groups for parameter in group["params"]}
    for step in range(5):
        train(model, optimizer, steps=1, begin=step)
        for name, parameter in model.named_parameters():
            grad, decay = parameter.grad, decays[id(parameter)]
            assert grad is not None
            direction = torch.sign(0.9 * momenta[name] + 0.1 * grad)
            expected[name] = expected[name] - 1e-3 * (direction + decay * expected[name])
            momenta[name] = 0.99 * momenta[name] + 0.01 * grad
            torch.testing.assert_close(parameter.detach(), expected[name], atol=1e-6, rtol=1e-5)


def test_muon_moves_matrices_and_adamw_the_rest(small: Callable, train: Callable) -> None:
    ours, theirs = small(), small()
    optimizer = made("muon", ours)
    train(ours, optimizer)
    matrices = [theirs.up.weight, theirs.down.weight]
    inside = {id(one) for one in matrices}
    rest = [
        {**group, "params": [one for one in group["params"] if id(one) not in inside]}
        for group in without_marks(theirs)
    ]
    first = torch.optim.Muon(matrices, lr=1e-2, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw")
    second = torch.optim.AdamW(rest, lr=1e-2)
    for step in range(6):
        theirs.zero_grad()
        train(theirs, second, steps=1, begin=step)
        first.step()
    same(ours, theirs)
    held = {id(one) for group in optimizer.param_groups if group["matrix"] for one in group["params"]}
    assert held == {id(ours.up.weight), id(ours.down.weight)}


def test_a_schedule_reaches_both_halves_of_muon(small: Callable, train: Callable) -> None:
    model = small()
    optimizer = made("muon", model)
    schedule = make_schedule("linear", optimizer, warmup_steps=0, total_steps=2)
    train(model, optimizer, steps=1)
    schedule.step()
    schedule.step()  # the rate is 0 now
    before = copy.deepcopy(model)
    train(model, optimizer, steps=1)
    same(model, before)


def test_schedule_free_adamw_is_the_formula(small: Callable, train: Callable) -> None:
    """Algorithm 1 of https://arxiv.org/abs/2405.15682 in float64, with x, y and z kept apart."""
    model = small(torch.float64)
    optimizer = made("schedule_free_adamw", model, rate=0.01, warmup_steps=3, betas=(0.9, 0.99))
    decays = {id(parameter): group["weight_decay"] for group in optimizer.param_groups for parameter in group["params"]}
    x = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    z, squares = copy.deepcopy(x), {name: torch.zeros_like(value) for name, value in x.items()}
    weights = 0.0
    for step in range(1, 8):
        y = {name: 0.1 * z[name] + 0.9 * x[name] for name in x}
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.detach(), y[name])
        train(model, optimizer, steps=1, begin=step)
        rate = 0.01 * min(1.0, step / 3)
        weights += rate**2
        for name, parameter in model.named_parameters():
            grad: Tensor = parameter.grad  # type: ignore[assignment]  # every parameter has one
            squares[name] = 0.99 * squares[name] + 0.01 * grad**2
            root = (squares[name] / (1 - 0.99**step)).sqrt() + 1e-8
            z[name] = z[name] - rate * (grad / root + decays[id(parameter)] * y[name])
            x[name] = x[name] + rate**2 / weights * (z[name] - x[name])
    kept = copy.deepcopy(model)
    optimizer.eval()  # type: ignore[attr-defined]  # schedule-free only
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), x[name])
    with pytest.raises(RuntimeError, match=r"optimizer\.train\(\)"):
        optimizer.step()
    optimizer.train()  # type: ignore[attr-defined]  # schedule-free only
    same(model, kept)


def test_a_state_saved_in_eval_mode(small: Callable, train: Callable) -> None:
    model, again = small(torch.float64), small(torch.float64)
    optimizer, other = made("schedule_free_adamw", model), made("schedule_free_adamw", again)
    train(model, optimizer)
    optimizer.eval()  # type: ignore[attr-defined]  # schedule-free only
    again.load_state_dict(model.state_dict())
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one in (optimizer, other):
        one.train()  # type: ignore[attr-defined]  # schedule-free only
    same(again, model, within=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("name", NAMES)
def test_a_state_goes_round_bit_by_bit(name: str, dtype: torch.dtype, small: Callable, train: Callable) -> None:
    whole, resumed = small(dtype), small(dtype)
    optimizer, other = made(name, whole), made(name, resumed)
    train(whole, optimizer, steps=3)
    resumed.load_state_dict(whole.state_dict())
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert train(whole, optimizer, steps=3, begin=3) == train(resumed, other, steps=3, begin=3)
    same(whole, resumed)


@pytest.mark.parametrize("name", NAMES)
def test_losses_fall(name: str, small: Callable, train: Callable) -> None:
    model = small()
    losses = train(model, made(name, model), steps=40)
    assert sum(losses[-5:]) < sum(losses[:5])


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("sgd", {"betas": (0.9, 0.9)}, "optimizer 'sgd' has no parameter 'betas': it takes momentum, dampening"),
        ("adafactor", {"warmup_init": True}, "give relative_step=True"),
        ("schedule_free_adamw", {"betas": (0.0, 0.9)}, r"within \(0, 1\)"),
        ("schedule_free_adamw", {"betas": (0.9, 1.0)}, r"betas\[1\] is 1"),
        ("schedule_free_adamw", {"warmup_steps": -1}, "warmup_steps is -1: write a whole number of steps"),
        ("schedule_free_adamw", {"warmup_steps": 0.1}, r"warmup_steps is 0\.1"),
        ("adamw_torch", {"betas": (0.9,)}, "has betas"),
        ("adamw_torch", {"eps": float("nan")}, "eps nan: write a number"),
        ("sgd", {"nesterov": True}, "cannot be made with nesterov=True: Nesterov momentum requires a momentum"),
        ("lion", {"betas": (2.0, 0.9)}, r"betas\[0\] is 2: write a number from 0 on, below 1"),
        ("adafactor", {"decay_rate": 1.0}, "a power below 0"),
        ("muon", {"ns_steps": 0}, "write a number from 1 on"),
    ],
)
def test_refusals(name: str, parameters: dict, words: str, small: Callable) -> None:
    with pytest.raises(ParameterError, match=words):
        made(name, small(), **parameters)


def test_an_unknown_name(small: Callable) -> None:
    with pytest.raises(UnknownName, match=r"optimizer 'lions'.*Did you mean lion"):
        made("lions", small())
