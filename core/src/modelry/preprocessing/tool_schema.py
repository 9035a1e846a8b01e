"""From a Python function to the JSON schema that models are told about it: hints give types, docstrings words.

Schema: https://json-schema.org, in the envelope of https://platform.openai.com/docs/guides/function-calling. Docstrings
are Google's: https://google.github.io/styleguide/pyguide.html#383-functions-and-methods.
"""

import enum
import inspect
import json
import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from modelry.errors import PreprocessorError

_NAMES = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}
_CONTAINERS = {list: "array", tuple: "array", dict: "object"}
_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns|Return|Raises|Yields|Examples?|Notes?)\s*:\s*$")
_ARGUMENT = re.compile(r"^(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_CHOICES = re.compile(r"\(choices:\s*(.*?)\)\s*$", re.IGNORECASE)


def tool_schemas(tools: Sequence[Any] | None) -> list[dict[str, Any]] | None:
    """The schemas of tools that are given as JSON schemas or as functions.

    Raises:
        PreprocessorError: a tool is neither; says which.
    """
    if tools is None:
        return None
    if not isinstance(tools, list | tuple):
        raise PreprocessorError(f"tools is a {type(tools).__name__}; give a list of JSON schemas or functions")
    schemas = []
    for number, tool in enumerate(tools):
        if isinstance(tool, Mapping):
            schemas.append(dict(tool))
        elif inspect.isfunction(tool) or inspect.ismethod(tool):
            schemas.append(get_json_schema(tool))
        else:
            raise PreprocessorError(
                f"tools[{number}] is {tool!r:.40} of type {type(tool).__name__}; give a JSON schema or a function"
            )
    return schemas


def get_json_schema(func: Callable[..., Any]) -> dict[str, Any]:
    """The JSON schema of a function, for a chat template's `tools`.

    Every argument needs a type hint and a line under "Args:" in the docstring. A line that ends in
    `(choices: ["a", "b"])` says which values there are.

    Returns:
        {"type": "function", "function": {"name", "description", "parameters"}}, with "return" where it is hinted.

    Raises:
        PreprocessorError: no docstring, an argument without a hint or a description, or a hint that no schema can say.
    """
    name = getattr(func, "__name__", type(func).__name__)
    documentation = inspect.getdoc(func)
    if not documentation:
        raise PreprocessorError(f"the tool {name} has no docstring; write what it does, and an 'Args:' section")
    description, arguments, returns = _read_docstring(documentation)
    try:
        hints = get_type_hints(func)
    except Exception as error:
        raise PreprocessorError(f"the type hints of the tool {name} cannot be read: {error}") from error
    properties: dict[str, Any] = {}
    required = []
    for parameter in _parameters(func):
        where = f"argument {parameter.name!r} of the tool {name}"
        if parameter.name not in hints:
            raise PreprocessorError(f"{where} has no type hint")
        if parameter.name not in arguments:
            raise PreprocessorError(f"{where} is not described; add a line '{parameter.name}: ...' under 'Args:'")
        schema = _type_schema(hints[parameter.name], where)
        words = arguments[parameter.name]
        choices = _CHOICES.search(words)
        if choices:
            schema["enum"] = _choices(choices.group(1), where)
            words = words[: choices.start()].strip()
        properties[parameter.name] = {**schema, "description": words}
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    parameters: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        parameters["required"] = required
    function = {"name": name, "description": description, "parameters": parameters}
    if "return" in hints:
        try:
            answer = _type_schema(hints["return"], f"the return value of the tool {name}")
        except PreprocessorError:
            return {"type": "function", "function": function}  # models never write it, so it need not be said
        function["return"] = {**answer, **({"description": returns} if returns else {})}
    return {"type": "function", "function": function}


def _parameters(func: Callable[..., Any]) -> list[inspect.Parameter]:
    """All but the object that a method belongs to."""
    found = list(inspect.signature(func).parameters.values())
    if found and found[0].name in ("self", "cls") and found[0].annotation is inspect.Parameter.empty:
        return found[1:]
    return found


def _choices(text: str, where: str) -> list[Any]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise PreprocessorError(f'the choices of {where} are {text!r:.60}; write them as JSON: ["a", "b"]') from error
    if not isinstance(values, list):
        raise PreprocessorError(f"the choices of {where} are {text!r:.60}; write a JSON list")
    return [one.strip() if isinstance(one, str) else one for one in values]


def _type_schema(hint: Any, where: str) -> dict[str, Any]:
    """The schema of one type hint."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint in _NAMES:
        return {"type": _NAMES[hint]}
    if hint in _CONTAINERS:
        return {"type": _CONTAINERS[hint]}
    if hint is Any:
        return {}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enumeration([member.value for member in hint], where)
    if origin is Literal:
        return _enumeration(list(inner), where)
    if origin in (Union, types.UnionType):
        return _union(inner, where)
    if origin is list:
        return {"type": "array", "items": _type_schema(inner[0], where)}
    if origin is tuple and len(inner) > 1 and Ellipsis not in inner:
        return {"type": "array", "prefixItems": [_type_schema(one, where) for one in inner]}
    if origin is dict:
        return {"type": "object", "additionalProperties": _type_schema(inner[1], where)}
    raise PreprocessorError(
        f"{where} has the type hint {hint}, which has no JSON schema here; use int, float, str, bool, Enum, Literal, "
        "list[...], tuple[A, B], dict[str, ...] and unions of them, or pass the tool as a JSON schema"
    )


def _enumeration(values: list[Any], where: str) -> dict[str, Any]:
    if not values or any(type(value) not in _NAMES for value in values):
        raise PreprocessorError(f"{where} may be one of {values!r:.80}; JSON knows strings, numbers, booleans and null")
    names = list(dict.fromkeys(_NAMES[type(value)] for value in values))
    return {"type": names[0] if len(names) == 1 else names, "enum": values}


def _union(members: tuple[Any, ...], where: str) -> dict[str, Any]:
    schemas = [_type_schema(one, where) for one in members if one is not type(None)]
    if len(schemas) == 1:
        schema = schemas[0]
    elif all(set(one) == {"type"} for one in schemas):
        names = sorted({one["type"] for one in schemas})
        schema = {"type": names[0] if len(names) == 1 else names}
    else:
        schema = {"anyOf": schemas}
    return {**schema, "nullable": True} if type(None) in members else schema


def _read_docstring(text: str) -> tuple[str, dict[str, str], str]:
    """Part a docstring into description, argument -> words, and what is returned."""
    sections: dict[str, list[str]] = {"": []}
    current = ""
    for line in text.split("\n"):
        heading = _SECTION.match(line)
        if heading:
            current = heading.group(1)
            sections.setdefault(current, [])
        else:
            sections[current].append(line)
    lines = [line for name in ("Args", "Arguments", "Parameters") for line in sections.get(name, [])]
    returns = [line.strip() for name in ("Returns", "Return") for line in sections.get(name, []) if line.strip()]
    return "\n".join(sections[""]).strip(), _read_arguments(lines), "\n".join(returns)


def _read_arguments(lines: list[str]) -> dict[str, str]:
    """Argument -> description. Lines that are indented deeper than the argument go on with its description."""
    lines = [line for line in lines if line.strip()]
    margin = min((len(line) - len(line.lstrip()) for line in lines), default=0)
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in lines:
        start = _ARGUMENT.match(line[margin:])
        if start:
            current = found.setdefault(start.group(1), [])
            line = start.group(2)
        current.append(line.strip())
    return {name: " ".join(part for part in parts if part) for name, parts in found.items()}
