"""What optimizers remember of each number that learns: the memory that stays between steps."""

from collections.abc import Mapping
from typing import Any

_KEPT = {
    "adafactor": 0,
    "adamw_torch": 2,
    "adamw_torch_fused": 2,
    "lion": 1,
    "lion_32bit": 1,
    "muon": 1,
    "schedule_free_adamw": 2,
    "sgd": 0,
}
"""Values for each that learns: whole ones, so that adafactor's rows and columns are none."""
_MORE = ("amsgrad", "momentum", "beta1")
"""Parameters that ask for one more, of optimizers that do not always keep it."""


def kept_values(name: str, parameters: Mapping[str, Any]) -> int | None:
    """How many values an optimizer keeps for each that learns; None of one that is not known here.

    Args:
        parameters: of it (`optim_args`).
    """
    if name not in _KEPT:
        return None
    asks = _KEPT[name] != 1 and any(parameters.get(one) for one in _MORE)
    return _KEPT[name] + asks


def thriftier(than: int) -> dict[str, int]:
    """Optimizers that keep fewer than so many, the thriftiest last; of several names for one the first."""
    names = [name for name in _KEPT if name != "lion_32bit" and _KEPT[name] < than]
    return {name: _KEPT[name] for name in sorted(names, key=lambda name: -_KEPT[name])}
