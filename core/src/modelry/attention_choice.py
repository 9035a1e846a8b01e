"""Which attention function the layers of a model use: one for all, or one for each model inside it."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from modelry.configuration import ModelConfig
from modelry.errors import ConfigError, MissingPlugin, ModelryWarning, RegistryError
from modelry_registry import AttentionBackend, get_registry, resolve

if TYPE_CHECKING:
    from modelry.model import PreTrainedModel

Choice = str | Mapping[str, str]
"""A backend's name; or names by the part of the configuration that a model inside has ("text_config"), "" for what is
in none of them. Models inside that are not named keep theirs."""


WITH_WEIGHTS = "eager"
"""The kernel's own that gives attention weights."""


def names_of(choice: Choice) -> list[str]:
    """Every backend that a choice names."""
    return sorted(set(choice.values())) if isinstance(choice, Mapping) else [choice]


def backend(name: str) -> AttentionBackend:
    """What the registry has under a name, where this machine can run it.

    Raises:
        RegistryError: no plugin has it, or what it runs on is not installed.
    """
    found = get_registry().get("attention", name)
    if not _runs(found):
        raise MissingPlugin(
            f"attn_implementation {name!r} runs on the module {found.module}, which is not installed. "
            f"Run: {found.install or f'pip install {found.module}'}; or choose "
            f"{' or '.join(one.name for one in _that_run())}"
        )
    return found


def _runs(one: AttentionBackend) -> bool:
    return not one.module or find_spec(one.module) is not None


def _that_run() -> list[AttentionBackend]:
    found = []
    for name in get_registry().names("attention"):
        with suppress(RegistryError):  # one that is broken or ambiguous is no choice
            found.append(get_registry().get("attention", name))
    return [one for one in found if _runs(one)]


def choose_usual_attention(model: "PreTrainedModel", name: str) -> None:
    """What attends where nobody has chosen; `WITH_WEIGHTS` where a configuration asks for what `name` does not give."""
    asked = any(_asks_for_weights(part) for part in _models(model)) and not backend(name).weights
    if asked:
        warnings.warn(
            f"the configuration of {type(model).__name__} says output_attentions, which {name} does not give: "
            f"{WITH_WEIGHTS} attends, which takes longer. Where nobody reads them, load with output_attentions=False",
            ModelryWarning,
            stacklevel=5,
        )
    choose_attention(model, WITH_WEIGHTS if asked else name, config=False)


def choose_attention(model: "PreTrainedModel", choice: Choice, *, config: bool = True) -> None:
    """Give every layer that attends its function; nothing changes where any of them is refused.

    Args:
        config: say it in the models' configurations too, where packages of the ecosystem look for it.

    Raises:
        RegistryError: no plugin has a backend of a name, or what it runs on is not installed.
        ConfigError: a model cannot do without what a backend lacks, or has no such part.
    """
    backends = {name: backend(name) for name in names_of(choice)}
    chosen = [(part, name) for part, name in _chosen(model, choice) if name is not None]
    for part, name in chosen:
        _refuse_unfit(part, backends[name])
    functions = {name: resolve(one.attend) for name, one in backends.items()}
    for part, name in chosen:
        part._attn_implementation = name
        if config:
            part.config._attn_implementation = name
        for module in _own_modules(part):
            if _attends(module):
                object.__setattr__(module, "attend", functions[name])


def _attends(module: Any) -> bool:
    return "attend" in module.__dict__ or hasattr(type(module), "attend")


def _asks_for_weights(model: "PreTrainedModel") -> bool:
    """Whether every pass is to give them, because the configuration says so."""
    return model.config.output_attentions and any(_attends(module) for module in model.modules())


def _models(model: "PreTrainedModel") -> "Iterator[PreTrainedModel]":
    """The model and those inside it."""
    from modelry.model import PreTrainedModel

    return (one for one in model.modules() if isinstance(one, PreTrainedModel))


def _refuse_unfit(model: "PreTrainedModel", one: AttentionBackend) -> None:
    if _asks_for_weights(model) and not one.weights:
        fit = [other.name for other in _that_run() if other.weights]
        raise ConfigError(
            f"the configuration of {type(model).__name__} says output_attentions, which {one.name} does not give: "
            f"choose {' or '.join(fit)}, or say output_attentions=False"
        )
    why = {
        "biases": (one.biases, "adds relative positions to the scores of attention"),
        "patterns": (one.patterns, "says who sees whom by patterns of its own"),
    }
    for need in model.attention_needs:
        able, said = why[need]
        if not able:
            fit = [other.name for other in _that_run() if getattr(other, need)]
            raise ConfigError(
                f"{type(model).__name__} ({model.config.model_type}) {said}, which {one.name} cannot do: choose "
                f"{' or '.join(fit)}"
            )


def _chosen(model: "PreTrainedModel", choice: Choice) -> "Iterator[tuple[PreTrainedModel, str | None]]":
    """Each model inside, itself first, and the name that the choice has for it, None where it has none."""
    from modelry.model import PreTrainedModel

    if not isinstance(choice, Mapping):
        yield from ((one, choice) for one in _models(model))
        return
    config: ModelConfig = model.config
    inner = {key: value for key, value in config.__dict__.items() if isinstance(value, ModelConfig)}
    keys = {"": ""}
    for path, one in model.named_modules():
        if isinstance(one, PreTrainedModel):
            above = max((other for other in keys if path.startswith(other and f"{other}.")), key=len)
            keys[path] = keys[above] or _key_of(one.config, config, inner)
    unknown = sorted(set(choice) - {*keys.values()})
    if unknown:
        raise ConfigError(
            f"attn_implementation names {', '.join(map(repr, unknown))}, and {type(model).__name__} has no model of "
            f"its own there; it has {', '.join(repr(key) for key in sorted(set(keys.values())))}"
        )
    for path, key in keys.items():
        part: Any = model.get_submodule(path)
        yield part, choice.get(key)


def _key_of(own: ModelConfig, whole: ModelConfig, inner: Mapping[str, ModelConfig]) -> str:
    """Which part of a configuration a model inside was made of: most have it, some a copy that was edited since."""
    if own is whole:
        return ""
    for alike in (
        [key for key, value in inner.items() if value is own],
        [key for key, value in inner.items() if value.to_dict() == own.to_dict()],
        [key for key, value in inner.items() if type(value) is type(own)],
    ):
        if len(alike) == 1:
            return alike[0]
    return ""


def _own_modules(model: "PreTrainedModel") -> Iterator[Any]:
    """The modules of a model without those of the models inside it."""
    from modelry.model import PreTrainedModel

    waiting: list[Any] = list(model.children())
    while waiting:
        module = waiting.pop()
        if not isinstance(module, PreTrainedModel):
            yield module
            waiting += module.children()
