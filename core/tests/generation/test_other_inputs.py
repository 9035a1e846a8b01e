"""Inputs beside a text follow its rows."""

import pytest
import torch

from modelry.errors import GenerationError
from modelry.generation.other_inputs import inputs_of_rows, pictures_of_rows


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([0, 1, 2], [0, 1, 2]), ([2, 0, 0], [2, 0, 1, 0, 1]), ([1], []), ([2, 2, 1], [2, 2])],
)
def test_pictures_go_with_their_rows(rows: list[int], expected: list[int]) -> None:
    assert pictures_of_rows([5, 0, 4], [2, 3, 4], rows) == expected


def test_pictures_that_nobody_has() -> None:
    with pytest.raises(GenerationError, match=r"6 tokens .* 5 parts"):
        pictures_of_rows([6], [2, 3], [0])


def test_a_row_for_each_text() -> None:
    one, other = torch.arange(6).view(3, 2), torch.arange(4)
    found = inputs_of_rows(object(), {"a": one, "b": other, "c": 7}, torch.zeros(3, 5), torch.tensor([2, 0]))
    assert found["a"].tolist() == [[4, 5], [0, 1]]
    assert found["b"] is other
    assert found["c"] == 7


def test_a_model_that_says_so_itself() -> None:
    class Model:
        def inputs_of_rows(self, inputs: dict[str, int], ids: object, rows: object) -> dict[str, int]:
            return {"a": inputs["a"] + 1}

    assert inputs_of_rows(Model(), {"a": 1}, torch.zeros(1, 1), torch.tensor([0])) == {"a": 2}
