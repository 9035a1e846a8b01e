"""What people and packages know from other libraries: arguments of from_pretrained, and a loop that is not ours."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from modelry.errors import ConfigError, ModelryWarning

NOTHING_TO_SAY = frozenset(
    [
        "trust_remote_code",
        "low_cpu_mem_usage",
        "offload_state_dict",
        "offload_buffers",
        "use_safetensors",
        "use_auth_token",
        "proxies",
        "torch_dtype",
        "_fast_init",
    ]
)
"""Arguments that change nothing here: what they ask for is always, or never, done."""


def translated(options: Mapping[str, Any]) -> dict[str, Any]:
    """Rename torch_dtype and quantization_config, and drop what has no effect here.

    Raises:
        ConfigError: one is given under both names, and says two things.
    """
    ours = {key: value for key, value in options.items() if key not in NOTHING_TO_SAY}
    given = ours.pop("quantization_config", None)
    renamed = {
        "dtype": options.get("torch_dtype"),
        "quantization": given if given is None or isinstance(given, Mapping) else given.to_dict(),
    }
    for (name, value), other in zip(renamed.items(), ("torch_dtype", "quantization_config"), strict=True):
        if value is None:
            continue
        said = ours[name] = value if ours.get(name) is None else ours[name]
        if str(said).removeprefix("torch.") != str(value).removeprefix("torch."):
            raise ConfigError(f"{name} is {said!r}, and {other}, another name of it, {value!r}: give one of them")
    if options.get("trust_remote_code"):
        warnings.warn(
            "trust_remote_code has no effect: a family comes from an installed plugin, never from a checkpoint",
            ModelryWarning,
            stacklevel=4,
        )
    return ours


def replaced_inputs(model: object) -> Callable[..., Any] | None:
    """What stands in for the model's own prepare_inputs_for_generation, as learned prompts want it; else None."""
    given: Callable[..., Any] | None = vars(model).get("prepare_inputs_for_generation")
    return None if given is None or getattr(given, "__self__", None) is model else given
