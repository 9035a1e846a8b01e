"""Which source counts: the call, then the config given, then generation_config.json, then the defaults. No torch."""

import warnings
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from modelry.errors import GenerationError, ModelryWarning
from modelry.generation.configuration import GenerationConfig
from modelry.generation.strategy import silenced

# Two ways to say one thing: a nearer source that uses one of them silences the other in the farther source.
_RIVALS = (("max_length", "max_new_tokens"), ("min_length", "min_new_tokens"))
_SAMPLING_ONLY = ("temperature", "top_k", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def combined(
    call: Mapping[str, Any],
    given: GenerationConfig | None,
    stored: GenerationConfig,
    model_config: Any,
    beside: Mapping[str, Any] = _NOTHING,
) -> GenerationConfig:
    """One config out of all sources, checked as a whole.

    Args:
        call: keyword arguments of generate(); a None there switches the field off.
        given: generation_config=...; a None there says nothing.
        stored: the model's generation_config.
        model_config: the model's config, for special tokens nobody else names.
        beside: arguments of the call that are no fields but choose a strategy: assistant_model.

    Raises:
        GenerationError: a value is impossible, or two exclude each other.
    """
    values = dict(GenerationConfig.from_model_config(model_config).set_fields())
    for layer in (stored.set_fields(), {} if given is None else given.set_fields()):
        _lay_over(values, {name: value for name, value in layer.items() if value is not None})
    _lay_over(values, dict(call), beside)
    _refuse_no_length(call)
    if given is not None:
        _refuse_no_length(given.set_fields())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelryWarning)  # unknown names of a file were reported when it was read
        config = GenerationConfig(**values)
    check_together(config)
    _warn_of_idle_fields(config, call)
    return config


def understood(given: Any) -> GenerationConfig | None:
    """A config as it is, or what a dictionary or a config of another package says by the names that all have.

    Raises:
        GenerationError: it is neither.
    """
    if given is None or isinstance(given, GenerationConfig):
        return given
    if isinstance(given, Mapping):
        return GenerationConfig.from_dict(given)
    values: Mapping[str, Any] = getattr(given, "to_dict", dict)()
    if not values:
        raise GenerationError(f"generation_config is a {type(given).__name__}: give a GenerationConfig or a dictionary")
    known = GenerationConfig.model_fields
    return GenerationConfig.from_dict({name: value for name, value in values.items() if name in known})


def _lay_over(values: dict[str, Any], layer: Mapping[str, Any], beside: Mapping[str, Any] = _NOTHING) -> None:
    for field in silenced({**layer, **beside}):
        values.pop(field, None)
    for one, other in _RIVALS:
        if layer.get(one) is not None and layer.get(other) is not None:
            GenerationConfig(**{one: layer[one]})  # refused if it cannot be, whether it counts or not
            warnings.warn(
                f"both {one}={layer[one]} and {other}={layer[other]} are given; {other} counts",
                ModelryWarning,
                stacklevel=4,
            )
            layer = {name: value for name, value in layer.items() if name != one}
            values.pop(one, None)
        elif layer.get(one) is not None:
            values.pop(other, None)
    values.update(layer)


def _refuse_no_length(layer: Mapping[str, Any]) -> None:
    for least, most in (("min_length", "max_length"), ("min_new_tokens", "max_new_tokens")):
        low, high = layer.get(least), layer.get(most)
        if isinstance(low, int) and isinstance(high, int) and low > high:
            raise GenerationError(f"{least}={low} is more than {most}={high}: no text is so long and so short")


def check_together(config: GenerationConfig) -> None:
    """Refuse fields that exclude each other.

    Raises:
        GenerationError: names the fields and the way out.
    """
    beams, wanted = config.num_beams or 1, config.num_return_sequences or 1
    if wanted > beams > 1:
        raise GenerationError(f"num_return_sequences={wanted} is more than num_beams={beams}: return at most {beams}")
    if wanted > 1 and beams == 1 and not config.do_sample and config.strategy is None:
        raise GenerationError(
            f"num_return_sequences={wanted} with greedy decoding gives one sequence {wanted} times: "
            "set do_sample=True, or num_beams"
        )
    if config.do_sample and config.temperature == 0:
        raise GenerationError("temperature=0 divides by zero: for the most likely token, set do_sample=False")
    groups = config.num_beam_groups or 1
    if beams % groups:
        raise GenerationError(f"num_beams={beams} is not a multiple of num_beam_groups={groups}")


def _warn_of_idle_fields(config: GenerationConfig, call: Mapping[str, Any]) -> None:
    idle = [name for name in _SAMPLING_ONLY if call.get(name) is not None] if not config.do_sample else []
    if config.penalty_alpha is not None and "top_k" in idle:
        idle.remove("top_k")  # contrastive search takes its candidates from top_k
    if idle:
        warnings.warn(
            f"{', '.join(idle)} act only with do_sample=True, and this call does not sample",
            ModelryWarning,
            stacklevel=4,
        )
