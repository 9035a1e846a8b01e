"""Rows that cannot be run are named, and no others."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from modelry_trainer import Trainer, blaming
from modelry_trainer.errors import BadRow
from modelry_trainer.feeding import Fed

Make = Callable[..., Trainer]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("labels", 999, r"labels has 999, and the model knows 0 to \d+"),
        ("input_ids", -3, r"input_ids has -3, and the model knows 0 to \d+"),
    ],
)
def test_a_row_that_ends_the_work_of_a_gpu(
    name: str, value: int, message: str, make_toy: Any, texts: list[Any], train: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA checks indices itself: whatever is asked of the GPU afterwards, even with rows that fit, fails as well."""
    texts[4] = {**texts[4], name: torch.full((9,), value)}
    texts = [{**row, "labels": row["labels"].clone().index_fill_(0, torch.tensor([0, 1]), -100)} for row in texts]
    trainer = train(make_toy(), texts, run=False, per_device_train_batch_size=2)
    compute, ended = trainer.compute_loss, []

    def checked(model: nn.Module, inputs: Any, *more: Any, **named: Any) -> Any:
        ended.extend([1] if value in inputs[name] else [])
        if ended:
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        return compute(model, inputs, *more, **named)

    monkeypatch.setattr(trainer, "compute_loss", checked)
    with pytest.raises(BadRow, match=f"row 4 of the train data set cannot be run, .*{message}.*start again"):
        trainer.train()
    ended.clear()
    trainer.train_dataset = [texts[4]] * 2
    with pytest.raises(BadRow, match=f"rows [01], [01] of .*{message}.*start again without these rows"):
        trainer.train()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("labels", torch.full((9,), 999), r"ValueError: a label is 999: with \d+ classes labels are 0 to \d+"),
        ("input_ids", torch.full((9,), 700), r"IndexError: .*\(input_ids has 700, and the model knows 0 to \d+\)$"),
        ("input_ids", torch.full((9,), 1.0), r"\(input_ids is float32: whole numbers from 0 to \d+ fit\)$"),
        ("labels", torch.full((9,), 1.0), r"\(labels is float32: whole numbers fit\)$"),
    ],
)
def test_several_rows_that_do_not_fit(
    name: str, value: torch.Tensor, message: str, make_toy: Any, texts: list[Any], train: Make
) -> None:
    """Some of a step, all of it, and the only one: each is named, and what would fit."""
    model, bad = make_toy(), [{**row, name: value} for row in texts]
    in_order = {"train_sampling_strategy": "sequential"}
    for rows, size, found in (
        ([*texts[:5], bad[5], texts[6], bad[7], *texts[8:]], 4, "rows 5, 7 .*, in step 2"),
        (bad, 3, "rows 0, 1, 2 .*, in step 1"),
        ([*texts[:2], bad[2]], 1, "row 2 .*, in step 3"),
    ):
        with pytest.raises(BadRow, match=f"^{found}: .*{message}"):
            train(model, rows, per_device_train_batch_size=size, **in_order)
    with pytest.raises(BadRow, match=f"^rows 2, 3 of the eval data set .*{message}"):
        train(model, texts, run=False).evaluate([*texts[:2], bad[2], bad[3]])
    two = [{**texts[0], name: value}, {**texts[1], "input_ids": torch.full((9,), -1)}, texts[2]]
    if not value.is_floating_point():
        with pytest.raises(BadRow, match=r"^rows 0, 1 of .*: row 0: .*; row 1: IndexError.*input_ids has -1"):
            train(model, two, **in_order)


def test_a_row_that_no_model_with_norms_over_a_batch_runs_alone(train: Make) -> None:
    class Normed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.score = nn.BatchNorm1d(3), nn.Linear(3, 4)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> Any:
            return {"loss": nn.functional.cross_entropy(self.score(self.norm(x)), labels)}

    rows = [{"x": torch.randn(3), "labels": 9 if number == 5 else 1} for number in range(8)]
    with pytest.raises(
        BadRow, match=r"^row 5 .*Target 9 is out of bounds. \(x float32 \(1, 3\), labels int64 \(1,\)\)"
    ):
        train(Normed(), rows)


def test_what_no_row_is_to_blame_for(make_toy: Any, texts: list[Any], train: Make) -> None:
    def broken(outputs: Any, labels: torch.Tensor, num_items_in_batch: Any) -> torch.Tensor:
        raise RuntimeError("this function is not ready")

    with pytest.raises(RuntimeError, match="not ready") as found:
        train(make_toy(), texts, more={"compute_loss_func": broken}, train_sampling_strategy="sequential")
    assert found.value.__notes__ == ["in step 1, rows 0, 1, 2, 3, 4, 5, 6, 7 of the train data set"]


def test_rows_of_a_model_that_runs_in_all_processes_or_in_none(
    make_toy: Any, texts: list[Any], train: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts[4] = {**texts[4], "labels": torch.full((9,), 999)}
    trainer = train(make_toy(), texts, run=False)
    monkeypatch.setattr(blaming, "is_divided", lambda model: True)
    monkeypatch.setattr(type(trainer.world), "mesh", object(), raising=False)
    batch = {name: torch.stack([row[name] for row in texts[3:6]]) for name in texts[0]}
    with pytest.raises(BadRow, match=r"^row 4 of the rows cannot be run, here: labels has 999, .* 0 to \d+$"):
        blaming.blame(trainer, [Fed([3, 4, 5], batch)], ValueError("a label"), loader=None, what="rows", where="here")
