"""A scheme's parameters on the command line."""

from typing import Any

import click
import pytest
from pydantic import BaseModel

from modelry.cli.scheme_parameters import read_scheme, read_words
from modelry_registry import RegistryError


class Parameters(BaseModel):
    """One of each kind."""

    group_size: int = 32
    kind: str = "nf4"
    double: bool = False
    keep: list[str] | None = None


@pytest.mark.parametrize(
    ("words", "arguments", "values"),
    [
        ([], [], {}),
        (["a", "b"], ["a", "b"], {}),
        (["--group-size", "64", "a", "b"], ["a", "b"], {"group_size": 64}),
        (["a", "--group-size=-1", "-"], ["a", "-"], {"group_size": -1}),
        (["a", "--kind", "fp4", "--double", "b"], ["a", "b"], {"kind": "fp4", "double": True}),
        (["--double", "true", "a", "true"], ["a", "true"], {"double": True}),
        (["a", "--double", "false", "b"], ["a", "b"], {"double": False}),
        (["--no-double", "--double=true"], [], {"double": True}),
        (["--double=true", "--no-double"], [], {"double": False}),
        (["--keep", "x", "--keep", "3"], [], {"keep": ["x", "3"]}),
        (["--keep", '["x", "y"]'], [], {"keep": ["x", "y"]}),
        (["--group_size", "many"], [], {"group_size": "many"}),
    ],
)
def test_words(words: list[str], arguments: list[str], values: dict[str, Any]) -> None:
    assert read_words(words, Parameters.model_fields, scheme="toy") == (arguments, values)


@pytest.mark.parametrize("word", ["--groupsize", "-g", "--no-group-size", "---", "--no-double=true"])
def test_what_the_scheme_does_not_have(word: str) -> None:
    with pytest.raises(click.UsageError, match=f"toy has no parameter {word.partition('=')[0]}; it has --group-size, "):
        read_words(["a", word], Parameters.model_fields, scheme="toy")


def test_a_value_is_missing() -> None:
    with pytest.raises(click.UsageError, match="--kind needs a value"):
        read_words(["a", "--kind"], Parameters.model_fields, scheme="toy")


def test_no_scheme() -> None:
    assert read_scheme(None, ()) is None
    with pytest.raises(click.UsageError, match="'levels=3' is for a scheme: give --quantization SCHEME"):
        read_scheme(None, ["levels=3"])


@pytest.mark.usefixtures("registry")
def test_a_scheme_with_settings() -> None:
    assert read_scheme("toy8", ()) == {"quant_method": "toy8"}
    assert read_scheme("toy8", ["levels=3"]) == {"quant_method": "toy8", "levels": 3}
    with pytest.raises(click.UsageError, match="toy8 has no parameter --level; it has --levels"):
        read_scheme("toy8", ["level=3"])
    for setting in ("levels", "=3", ""):
        with pytest.raises(click.UsageError, match="is not KEY=VALUE"):
            read_scheme("toy8", [setting])
    with pytest.raises(RegistryError, match="toy9"):
        read_scheme("toy9", ())
