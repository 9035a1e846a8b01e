"""What `modelry eval` hands on to lm-eval's command line."""

import pytest

from modelry_lm_eval.command import with_model


@pytest.mark.parametrize(
    ("said", "handed_on"),
    [
        (["--tasks", "one"], ["run", "--model", "modelry", "--tasks", "one"]),
        (["run", "--tasks", "one"], ["run", "--model", "modelry", "--tasks", "one"]),
        (["--model", "hf", "--tasks", "one"], ["run", "--model", "hf", "--tasks", "one"]),
        (["--model=hf"], ["run", "--model=hf"]),
        (["--config", "run.yaml"], ["run", "--config", "run.yaml"]),
        (["ls", "tasks"], ["ls", "tasks"]),
        ([], ["run", "--help"]),
        (["--help"], ["run", "--help"]),
    ],
)
def test_a_run_without_a_model_is_ours(said: list[str], handed_on: list[str]) -> None:
    assert with_model(said) == handed_on
