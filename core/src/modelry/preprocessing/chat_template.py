"""Rendering one chat template over plain data. What the data are, and what becomes of the text, is in chat.py."""

import dataclasses
import re
from collections.abc import Mapping
from functools import lru_cache
from numbers import Integral, Real
from types import CodeType
from typing import Any

import jinja2
from jinja2.exceptions import SecurityError

from modelry.errors import TemplateError
from modelry.preprocessing.template_budget import Budget, LimitReached, spending
from modelry.preprocessing.template_sandbox import TemplateEnvironment
from modelry.preprocessing.tensors import ListLike

LONGEST_TEMPLATE = 1_000_000
"""Characters; the longest published ones have 60,000."""

GENERATION_TAG = re.compile(r"\{%-?\s*generation\s*-?%\}")


@dataclasses.dataclass(frozen=True)
class Rendering:
    """A chat as text, and where the assistant's parts stand in it."""

    text: str
    assistant: list[tuple[int, int]]
    """(start, end) characters of every {% generation %} block."""


def render(template: str, values: Mapping[str, Any], *, where: str) -> Rendering:
    """Render a template in the sandbox.

    Args:
        template: Jinja, as in chat_template.jinja.
        values: what the template sees; see plain_data.
        where: what to call the template in messages.

    Raises:
        TemplateError: it is not Jinja, it refuses the messages, it fails, or it leaves its sandbox or its limits.
    """
    if len(template) > LONGEST_TEMPLATE:
        raise TemplateError(f"{where} has {len(template):,} characters; at most {LONGEST_TEMPLATE:,} are read")
    try:
        data = {name: plain_data(value) for name, value in values.items()}
        with spending(Budget(_size(data))) as limits:
            environment = TemplateEnvironment()
            compiled = jinja2.Template.from_code(environment, _compile(template), dict(environment.globals))
            pieces = []
            for piece in compiled.generate(data):
                limits.allow(environment.spans.position + len(piece))
                limits.step()
                environment.spans.position += len(piece)
                pieces.append(piece)
        return Rendering("".join(pieces), environment.spans.found)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{where} is not a valid template: line {error.lineno}: {error.message}") from error
    except LimitReached as error:
        raise TemplateError(f"{where} was stopped{_line(error)}: {error}") from error
    except SecurityError as error:
        raise TemplateError(f"{where} tries to leave its sandbox{_line(error)}: {error}") from error
    except jinja2.TemplateError as error:
        raise TemplateError(f"{where} says{_line(error)}: {error}") from error
    except RecursionError as error:
        raise TemplateError(f"{where} was stopped{_line(error)}: it is nested too deeply, or calls itself") from error
    except (Exception, MemoryError) as error:
        raise TemplateError(f"{where} fails{_line(error)}: {type(error).__name__}: {error}") from error


@lru_cache(maxsize=64)
def _compile(template: str) -> CodeType:
    """The template as Python code. Compiling evaluates constants, so it is inside the budget too."""
    return TemplateEnvironment().compile(template, filename="<template>")


def plain_data(value: Any) -> Any:
    """The same value of nothing but dictionaries, lists, strings, numbers and None.

    Templates see no other objects, for those have methods that nobody checked. Images, arrays and the like become their
    type's name, as in "<ndarray>": templates ask whether they are there, never what is in them.
    """
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {plain_data(key): plain_data(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain_data(one) for one in value]
    if isinstance(value, tuple):
        return tuple(plain_data(one) for one in value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)  # pydantic models
    if callable(dump):
        return plain_data(dump())
    if isinstance(value, ListLike) and getattr(value, "ndim", None) == 0:  # a number of numpy or torch
        return plain_data(value.tolist())
    return f"<{type(value).__name__}>"


def _size(value: Any) -> int:
    """Characters and values of plain data."""
    if isinstance(value, str):
        return 1 + len(value)
    if isinstance(value, Mapping):
        return 1 + sum(_size(key) + _size(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return 1 + sum(map(_size, value))
    return 1


def _line(error: BaseException) -> str:
    """ " in line N", where the traceback says so: Jinja writes the template's lines into it."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<template>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" in line {line}" if line is not None else ""
