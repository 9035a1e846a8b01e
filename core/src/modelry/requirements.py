"""Which plugins a load needs, looked up before anything is imported: everything missing is one error."""

from collections.abc import Iterator, Mapping
from typing import Any

from modelry.attention_choice import Choice, backend, names_of
from modelry.config_file import check_model_type
from modelry.configuration import ModelConfig, Nested, config_class
from modelry.quantization import quantizer_name
from modelry_registry import Candidate, ModelFamily, get_registry, resolve

__all__ = ["find_config_class", "find_family", "inner_families", "require_plugins"]


def require_plugins(
    values: Mapping[str, Any],
    *,
    where: object,
    quantization: object = None,
    attention: Choice | None = None,
    plugin: str | None = None,
    family: bool = True,
) -> list[Candidate]:
    """Look up everything that a load needs.

    Args:
        values: of config.json.
        where: the file they are from, named in the error.
        quantization: what quantizes the model, if anything.
        attention: name of the attention function, or several by part, if the caller chose.
        plugin: distribution that shall provide the family.
        family: whether the family itself comes from the registry (False when the caller has its class).

    Returns:
        The plugins that take part in this load.

    Raises:
        ConfigError: no model_type, or one that is no name.
        RegistryError: all that is missing, and how to install it.
    """
    registry = get_registry()
    needed: list[tuple[str, str]] = []
    if family:
        model_type = check_model_type(values.get("model_type"), where=where)
        needed.append(("models", model_type))
        needed += [("models", inner) for inner in _nested_types(values, model_type, where, plugin)]
    if quantization is not None:
        needed.append(("quantizers", quantizer_name(quantization, where=where)))
    attending = [] if attention is None else names_of(attention)
    needed += [("attention", name) for name in attending]
    by_call = ["quantization="] if quantization is not None and not values.get("quantization_config") else []
    by_call += ["attn_implementation="] if attending else []
    asked_by = f"{where} with {' and '.join(by_call)}" if by_call else str(where)
    registry.require(needed, asked_by=asked_by, plugin=plugin)
    for name in attending:
        backend(name)
    first = plugin if family else None
    return [
        registry.provider(kind, name, plugin=first if index == 0 else None) for index, (kind, name) in enumerate(needed)
    ]


def find_family(values: Mapping[str, Any], *, where: object, plugin: str | None = None) -> ModelFamily:
    """The registry's entry for the model_type of a config.json."""
    return get_registry().get("models", check_model_type(values.get("model_type"), where=where), plugin=plugin)


def find_config_class(values: Mapping[str, Any], *, where: object, plugin: str | None = None) -> type[ModelConfig]:
    """The configuration class for the model_type of a config.json."""
    return config_class(check_model_type(values.get("model_type"), where=where), plugin=plugin)


def inner_families(values: Mapping[str, Any], *, where: object, plugin: str | None = None) -> list[ModelFamily]:
    """The families inside a composite configuration that come from the registry, in its order.

    Raises:
        RegistryError: all of them that are missing.
    """
    registry = get_registry()
    model_type = check_model_type(values.get("model_type"), where=where)
    names = list(_nested_types(values, model_type, where, plugin))
    registry.require([("models", name) for name in names], asked_by=str(where))
    return [registry.get("models", name) for name in names]


def _nested_types(values: Mapping[str, Any], model_type: str, where: object, plugin: str | None) -> Iterator[str]:
    """The model_types inside a composite configuration that come from the registry.

    An installed family says which of its fields do, and which types it reads itself; of one that is not, all are named
    whose type is not its own ("clip_vision_model" is clip's own), so that one install line brings everything.
    """
    registry = get_registry()
    inner = {key: value for key, value in values.items() if isinstance(value, Mapping) and "model_type" in value}
    if not inner:
        return
    if model_type in registry.names("models"):
        found = resolve(registry.get("models", model_type, plugin=plugin).config)
        declared = found.model_fields if isinstance(found, type) and issubclass(found, ModelConfig) else {}
        marks = {key: [mark for mark in one.metadata if isinstance(mark, Nested)] for key, one in declared.items()}
        inner = {
            key: value
            for key, value in inner.items()
            if any(value["model_type"] not in mark.own for mark in marks.get(key, ()))
        }
    own = model_type.replace("-", "_")
    for key, value in inner.items():
        name = check_model_type(value["model_type"], where=f"{key} in {where}")
        if not name.replace("-", "_").startswith(own):
            yield name
