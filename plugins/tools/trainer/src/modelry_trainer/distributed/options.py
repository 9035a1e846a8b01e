"""What `fsdp` and `fsdp_config` mean for FSDP2: the ecosystem's names; what means nothing is refused. No torch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STRATEGIES: Mapping[str, dict[str, Any]] = {
    "full_shard": {"reshard_after_forward": True},
    "shard_grad_op": {"reshard_after_forward": False},
    "offload": {"cpu_offload": True},
    "auto_wrap": {},
}
"""Words of `fsdp` where it is a text or a list, as older scripts write it."""

_REFUSED: Mapping[str, str] = {
    "hybrid_shard": "set parallelism_config={'dp_replicate_size': ..., 'dp_shard_size': ...}",
    "hybrid_shard_zero2": "set parallelism_config and fsdp_config={'reshard_after_forward': False}",
    "no_shard": "leave fsdp out: every process then has a copy (DDP)",
}

_POLICIES = ("TRANSFORMER_BASED_WRAP", "SIZE_BASED_WRAP", "NO_WRAP")

_ONE_VALUE: Mapping[str, Any] = {
    "version": 2,
    "use_orig_params": True,
    "limit_all_gathers": True,
    "xla": False,
    "xla_fsdp_v2": False,
    "xla_fsdp_grad_ckpt": False,
    "cpu_ram_efficient_loading": False,
    "forward_prefetch": False,
    "backward_prefetch": "BACKWARD_PRE",
}
"""Of fsdp_config: what FSDP2 always does, or what is of another FSDP; another value is refused."""


@dataclass(frozen=True)
class Sharding:
    """How a model is sharded."""

    reshard_after_forward: bool = True
    cpu_offload: bool = False
    activation_checkpointing: bool = False
    sync_module_states: bool = True
    state_dict_type: str = "SHARDED_STATE_DICT"
    """FULL_STATE_DICT: checkpoints have the model as an ordinary folder."""
    auto_wrap_policy: str = "TRANSFORMER_BASED_WRAP"
    transformer_layer_cls_to_wrap: tuple[str, ...] = ()
    min_num_params: int = 0


def sharding_of(fsdp: bool | str | list[str] | None, config: Mapping[str, Any] | str | None) -> Sharding | None:
    """The two fields together; None where nothing is sharded.

    Raises:
        ValueError: names what is unknown, has no meaning in FSDP2, or stands alone.
    """
    given = _config(config)
    words = _words(fsdp)
    if words is None:
        if given:
            raise ValueError("fsdp_config is given and fsdp is off: set fsdp=True, or leave fsdp_config out")
        return None
    for word in words:
        if word in _REFUSED:
            raise ValueError(f"fsdp has {word!r}, which FSDP2 does not have: {_REFUSED[word]}")
        if word not in _STRATEGIES:
            raise ValueError(f"fsdp has {word!r}: write True, or {', '.join(_STRATEGIES)}")
        for name, value in _STRATEGIES[word].items():
            given.setdefault(name, value)
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name in _ONE_VALUE:
            if value != _ONE_VALUE[name]:
                raise ValueError(
                    f"fsdp_config has {name} {value!r}: FSDP2, which is used here, has {_ONE_VALUE[name]!r} only; "
                    "leave it out"
                )
        elif name not in Sharding.__dataclass_fields__:
            known = ", ".join(Sharding.__dataclass_fields__)
            raise ValueError(f"fsdp_config has {name}, which nothing reads: it knows {known}")
        else:
            values[name] = _value(name, value)
    return _fitting(Sharding(**values))


def _words(fsdp: bool | str | list[str] | None) -> list[str] | None:
    if isinstance(fsdp, str):
        fsdp = {"true": True, "false": False, "": False}.get(fsdp.lower(), fsdp.replace(",", " ").split())
    if isinstance(fsdp, bool) or not fsdp:
        return [] if fsdp else None
    return list(fsdp)


def _config(config: Mapping[str, Any] | str | None) -> dict[str, Any]:
    if isinstance(config, str):
        file = Path(config).expanduser()
        if not file.is_file():
            raise ValueError(f"fsdp_config is {config!r}: there is no such file, and it is no mapping")
        config = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(config, Mapping):
            raise ValueError("fsdp_config names a file that is no JSON object")
    return {name.removeprefix("fsdp_"): value for name, value in (config or {}).items()}


def _value(name: str, value: Any) -> Any:
    if name == "transformer_layer_cls_to_wrap":
        return (value,) if isinstance(value, str) else tuple(value or ())
    wanted = type(Sharding.__dataclass_fields__[name].default)
    if wanted is bool and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        raise ValueError(f"fsdp_config has {name} {value!r}: write a {wanted.__name__}")
    return value


def _fitting(made: Sharding) -> Sharding:
    if made.auto_wrap_policy not in _POLICIES:
        raise ValueError(f"fsdp_config has auto_wrap_policy {made.auto_wrap_policy!r}: write {', '.join(_POLICIES)}")
    if made.state_dict_type not in ("SHARDED_STATE_DICT", "FULL_STATE_DICT"):
        raise ValueError(
            f"fsdp_config has state_dict_type {made.state_dict_type!r}: write SHARDED_STATE_DICT or FULL_STATE_DICT"
        )
    by_size = made.auto_wrap_policy == "SIZE_BASED_WRAP"
    if by_size != (made.min_num_params > 0):
        raise ValueError(
            f"fsdp_config has auto_wrap_policy {made.auto_wrap_policy} and min_num_params {made.min_num_params}: "
            "SIZE_BASED_WRAP and a number above 0 go together"
        )
    if made.transformer_layer_cls_to_wrap and made.auto_wrap_policy != "TRANSFORMER_BASED_WRAP":
        raise ValueError(
            f"fsdp_config has transformer_layer_cls_to_wrap and auto_wrap_policy {made.auto_wrap_policy}: choose one"
        )
    return made
