"""The published keys count in their order."""

import pytest

from modelry.configuration import ModelConfig
from modelry.errors import ModelryWarning
from modelry.heads.dropout import classifier_dropout


@pytest.mark.parametrize(
    ("values", "rate"),
    [
        ({"classifier_dropout": 0.3, "hidden_dropout_prob": 0.2}, 0.3),
        ({"classifier_dropout": None, "hidden_dropout_prob": 0.2}, 0.2),
        ({"hidden_dropout": 0.0}, 0.0),
    ],
)
def test_the_first_that_is_said(values: dict[str, float | None], rate: float) -> None:
    with pytest.warns(ModelryWarning, match="does not know"):
        assert classifier_dropout(ModelConfig(**values)) == rate


def test_where_nothing_is_said() -> None:
    assert classifier_dropout(ModelConfig()) == 0.1
