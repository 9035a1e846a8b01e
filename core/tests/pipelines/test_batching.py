"""Padding, stacking and taking apart."""

import pytest
import torch

from modelry.errors import PipelineError
from modelry.pipelines.batching import collate, split, stack_padded


def test_padding_on_either_side() -> None:
    rows = [torch.tensor([1, 2]), torch.tensor([3])]
    assert stack_padded(rows, value=9, side="right").tolist() == [[1, 2], [3, 9]]
    assert stack_padded(rows, value=9, side="left").tolist() == [[1, 2], [9, 3]]


def test_every_dimension_is_padded() -> None:
    batch = stack_padded([torch.ones(1, 2), torch.ones(2, 1)], value=0, side="right")
    assert batch.tolist() == [[[1, 1], [0, 0]], [[1, 0], [1, 0]]]


def test_ranks_must_agree() -> None:
    with pytest.raises(PipelineError, match=r"'image' cannot be batched: its shapes are \(2,\), \(1, 2\)"):
        stack_padded([torch.ones(2), torch.ones(1, 2)], value=0, side="right", name="image")


def test_a_mask_is_made_where_it_is_needed() -> None:
    items = [{"input_ids": torch.tensor([5, 6]), "text": "x"}, {"input_ids": torch.tensor([7])}]
    batch = collate(items, padding={"input_ids": 2}, side="left")
    assert batch["input_ids"].tolist() == [[5, 6], [2, 7]]
    assert batch["attention_mask"].tolist() == [[1, 1], [0, 1]]
    assert batch.keys() == {"input_ids", "attention_mask"}
    assert collate(items[:1], padding={}, side="left").keys() == {"input_ids"}


def test_items_of_one_batch_have_the_same_features() -> None:
    with pytest.raises(PipelineError, match=r"number 1 has \['b'\], the first has \['a'\]"):
        collate([{"a": torch.ones(1)}, {"b": torch.ones(1)}], padding={}, side="right")


def test_split_undoes_the_batch() -> None:
    outputs = {"x": torch.tensor([[1], [2]]), "names": ["a", "b"], "loss": torch.tensor(3.0), "none": None}
    layers = (torch.tensor([1, 2]), torch.tensor([3, 4]))
    first, second = split({**outputs, "layers": layers}, 2)
    assert (first["x"].tolist(), second["x"].tolist()) == ([1], [2])
    assert (first["names"], second["names"]) == ("a", "b")
    assert first["loss"] == second["loss"] == 3
    assert first["none"] is None
    assert [int(layer) for layer in second["layers"]] == [2, 4]


def test_an_output_without_the_batch_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"'x' of shape \(3, 1\) for a batch of 2"):
        split({"x": torch.ones(3, 1)}, 2)
