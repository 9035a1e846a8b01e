"""Experts as modules: the same sums as stacked ones, and files under the same names."""

import pytest
import torch
from torch import nn

from modelry.checkpoint.separate_rows import Unstack, separated
from modelry.checkpoint.weight_table import FormerSplit, Rename, Stack, Transpose, WeightTable
from modelry.nn.experts import Experts
from modelry.nn.separate_experts import SeparateExperts, separate_experts

COUNT, SIZE, INNER = 5, 6, 8
ROWS = (
    Stack("layers.{i}.moe.{n}.w1.weight", "layers.{i}.experts.gate_proj", "n"),
    Stack("layers.{i}.moe.{n}.w3.weight", "layers.{i}.experts.up_proj", "n"),
    FormerSplit(
        "layers.{i}.experts.gate_up_proj", ("layers.{i}.experts.gate_proj", "layers.{i}.experts.up_proj"), dim=1
    ),
    Rename("layers.{i}.moe.gate.weight", "layers.{i}.gate.weight"),
)


def both() -> tuple[Experts, SeparateExperts]:
    torch.manual_seed(0)
    stacked = Experts(COUNT, SIZE, INNER, act=nn.functional.silu, spread=0.3)
    separate = SeparateExperts(stacked)
    for number, expert in enumerate(separate):
        for name in ("gate_proj", "up_proj", "down_proj"):
            expert.get_submodule(name).weight.data = getattr(stacked, name)[number].detach()
    return stacked, separate


def tokens() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    chosen = torch.stack([torch.randperm(COUNT - 1)[:2] for _ in range(7)])  # nobody chooses the last
    return torch.randn(7, SIZE), chosen, torch.rand(7, 2)


def test_the_same_sums() -> None:
    stacked, separate = both()
    assert separate(*tokens()).equal(stacked(*tokens()))


def test_the_same_sums_in_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    stacked, separate = both()
    expected = stacked(*tokens())
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.allclose(separate(*tokens()), expected, atol=1e-6)


def test_replacing_leaves_nothing_stacked() -> None:
    with torch.device("meta"):
        model = nn.ModuleDict({"one": nn.ModuleDict({"experts": both()[0]}), "plain": nn.Linear(2, 2)})
    model.eval()
    separate_experts(model)
    assert {type(part) for part in model.modules()} >= {SeparateExperts}
    assert not any(isinstance(part, Experts) or part.training for part in model.modules())
    assert model.get_parameter("one.experts.4.down_proj.weight").shape == (SIZE, INNER)


def test_names_in_files() -> None:
    table = WeightTable(*separated(ROWS, {"layers.3.experts": COUNT}))
    stored = [
        f"layers.3.moe.{n}.{w}.{part}" for n in range(COUNT) for w in ("w1", "w3") for part in ("weight", "scales")
    ]
    ours = {step.stored[0]: step.ours[0] for step in table.reading([*stored, "layers.3.moe.gate.weight"])}
    assert ours["layers.3.moe.4.w3.scales"] == "layers.3.experts.4.up_proj.scales"
    assert ours["layers.3.moe.gate.weight"] == "layers.3.gate.weight"
    assert {step.ours[0]: step.stored[0] for step in table.writing(list(ours.values()))} == {
        name: one for one, name in ours.items()
    }


def test_files_that_keep_all_in_one() -> None:
    table = WeightTable(*separated(ROWS, {"layers.0.experts": COUNT}))
    whole = torch.arange(COUNT * 2 * INNER * SIZE).view(COUNT, 2 * INNER, SIZE)
    (step,) = table.reading(["layers.0.experts.gate_up_proj"])
    found = dict(zip(step.ours, step.row.read([whole]), strict=True))
    assert found["layers.0.experts.2.gate_proj.weight"].equal(whole[2, :INNER])
    assert found["layers.0.experts.4.up_proj.weight"].equal(whole[4, INNER:])
    (step,) = table.reading(["layers.0.experts.up_proj"])
    assert len(step.ours) == COUNT
    assert step.row.read([whole])[1].equal(whole[1])
    with pytest.raises(NotImplementedError, match="read only"):
        step.row.write([])


def test_rows_of_others_stay() -> None:
    assert separated(ROWS, {"other.experts": COUNT}) == list(ROWS)
    with pytest.raises(TypeError, match="modules of their own"):
        separated([Transpose("a.{i}.x", "a.{i}.experts.x")], {"a.0.experts": 2})


def test_a_model_inside_another() -> None:
    row = Unstack("experts.up", ("experts.{e}.up.weight",), 2).under("model.", None)
    assert (row.stored, row.ours) == (
        ("model.experts.up",),
        ("model.experts.0.up.weight", "model.experts.1.up.weight"),
    )
