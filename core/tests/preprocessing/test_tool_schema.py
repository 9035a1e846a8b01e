"""Python functions become the JSON schemas that transformers makes of them, and unclear ones are refused."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Literal, Optional, Union

import pytest

from modelry.errors import PreprocessorError
from modelry.preprocessing.tool_schema import get_json_schema, tool_schemas

chat_template_utils = pytest.importorskip("transformers.utils.chat_template_utils")


class Color(Enum):
    """Two of many."""

    RED = "red"
    BLUE = "blue"


def plain(x: int, y: float = 1.0, z: str = "a", b: bool = True) -> None:
    """Do a thing.

    Args:
        x: First.
        y: Second,
           on two lines.
        z: Third: with a colon.
        b: Fourth.
    """


def containers(
    a: list, b: list[int], c: dict, d: dict[str, float], e: tuple[int, str], f: list[list[str]], g: list[dict[str, int]]
) -> list[str]:
    """Long description.

    Of two paragraphs.

    Args:
        a: One
        b: Two
        c: Three
        d: Four
        e: Five
        f: Six
        g: Seven

    Returns:
        What it returns.
    """
    return []


def unions(
    a: int | None,
    b: Optional[str],  # noqa: UP045 - the older spelling is meant
    c: Union[int, str],  # noqa: UP007
    d: list[int] | str,
    e: Any,
    f: Literal["a", "b"],
    g: Literal[1, "x"],
    h: Color,
    i: Color | None = None,
) -> str:
    """Unions.

    Args:
        a: A
        b: B
        c: C
        d: D
        e: E
        f: F
        g: G
        h: H
        i: I
    """
    return ""


def choices(drink: str, size: int = 1) -> None:
    """Order.

    Args:
        drink: What (choices: ["tea", " coffee "])
        size: How much (choices: [1, 2])

    Returns:
        Nothing.

    Raises:
        ValueError: never.
    """


def nothing() -> str:
    """Takes nothing."""
    return ""


class Service:
    """Has a tool."""

    def ask(self, question: str) -> Color:
        """Ask.

        Args:
            question: What to ask.
        """
        return Color.RED


@pytest.mark.parametrize("tool", [plain, containers, unions, choices, nothing, Service().ask])
def test_the_same_as_transformers(tool: Callable[..., Any]) -> None:
    assert get_json_schema(tool) == chat_template_utils.get_json_schema(tool)


def test_schemas_pass_through() -> None:
    given = {"type": "function", "function": {"name": "x"}}
    assert tool_schemas([given, nothing]) == [given, get_json_schema(nothing)]
    assert tool_schemas(None) is None


def undocumented(x: int) -> None: ...


def unhinted(x) -> None:  # type: ignore[no-untyped-def]
    """Do.

    Args:
        x: X
    """


def undescribed(x: int) -> None:
    """Do."""


def strange(x: complex) -> None:
    """Do.

    Args:
        x: X
    """


def bad_choices(x: str) -> None:
    """Do.

    Args:
        x: X (choices: tea, coffee)
    """


def broken_hint(x: "Missing") -> None:  # type: ignore[name-defined]  # noqa: F821
    """Do.

    Args:
        x: X
    """


@pytest.mark.parametrize(
    ("tool", "message"),
    [
        (undocumented, "the tool undocumented has no docstring"),
        (unhinted, "argument 'x' of the tool unhinted has no type hint"),
        (undescribed, "argument 'x' of the tool undescribed is not described; add a line 'x: ...'"),
        (strange, "has the type hint <class 'complex'>, which has no JSON schema"),
        (bad_choices, "write them as JSON"),
        (broken_hint, "the type hints of the tool broken_hint cannot be read"),
    ],
)
def test_unclear_tools(tool: Callable[..., Any], message: str) -> None:
    with pytest.raises(PreprocessorError, match=message):
        get_json_schema(tool)
