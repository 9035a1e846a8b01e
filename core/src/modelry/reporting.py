"""What a training tells a tracker, a plugin of kind `callbacks`: curves by name, and what it was run with."""

from collections.abc import Mapping
from typing import Any

Plain = str | int | float | bool


def curves(logs: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of one log under the names by which trackers group them, as the ecosystem writes them.

    Returns:
        "eval_loss" as "eval/loss", "test_loss" as "test/loss", "loss" as "train/loss". What is no number is left out.
    """
    found = {}
    for name, value in logs.items():
        if isinstance(value, int | float):
            group, _, rest = name.partition("_")
            found[f"{group}/{rest}" if group in ("eval", "test") and rest else f"train/{name}"] = float(value)
    return found


def settings(arguments: Mapping[str, Any], model: Any) -> dict[str, Plain]:
    """The arguments of a training and its model's config as one flat table: nested names are joined by "/".

    Args:
        arguments: plain data.
        model: one with a config that has `to_dict`, or any other, of which nothing is told.
    """
    told: Mapping[str, Any] = getattr(getattr(model, "config", None), "to_dict", dict)()
    return {**_flat(arguments), **_flat(told, "model/")}


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}/")
        elif value is not None:
            found[f"{before}{name}"] = value if isinstance(value, str | int | float | bool) else str(value)
    return found
