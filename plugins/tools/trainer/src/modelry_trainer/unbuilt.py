"""Arguments that the ecosystem names and nothing here reads: refused by name when they are set off their defaults."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from modelry_trainer.errors import ArgumentsError

UNBUILT: Mapping[str, Any] = MappingProxyType(
    {
        "optim_target_modules": None,
        "average_tokens_across_devices": True,
        "use_liger_kernel": False,
        "liger_kernel_config": None,
        "log_on_each_node": True,
        "logging_nan_inf_filter": True,
        "log_level": "passive",
        "log_level_replica": "warning",
        "trackio_space_id": None,
        "trackio_bucket_id": None,
        "trackio_static_space_id": None,
        "eval_use_gather_object": False,
        "save_on_each_node": False,
        "enable_jit_checkpoint": False,
        "push_to_hub": False,
        "hub_token": None,
        "hub_private_repo": None,
        "hub_model_id": None,
        "hub_strategy": "every_save",
        "hub_always_push": False,
        "hub_revision": None,
        "accelerator_config": None,
        "parallelism_config": None,
        "dataloader_in_order": True,
        "ddp_find_unused_parameters": None,
        "ddp_bucket_cap_mb": None,
        "ddp_broadcast_buffers": None,
        "ddp_static_graph": None,
        "ddp_backend": None,
        "ddp_timeout": 1800,
        "fsdp": None,
        "fsdp_config": None,
        "deepspeed": None,
        "debug": "",
        "skip_memory_metrics": True,
        "local_rank": -1,
    }
)
"""Name to the ecosystem's default."""

_INSTEAD = {
    "push_to_hub": "call trainer.model.push_to_hub(repo_id) after the training",
    "logging_nan_inf_filter": "nan_loss says what a loss that is no number does; none is ever logged",
    "deepspeed": "leave it out",
}


def refuse_unbuilt(given: Mapping[str, Any]) -> None:
    """Refuse a field that nothing reads, where it asks for something.

    Raises:
        ArgumentsError: names the field.
    """
    for name, value in given.items():
        if name in UNBUILT and value != UNBUILT[name]:
            instead = _INSTEAD.get(name, "leave it out")
            raise ArgumentsError(
                f"{name} is {value!r}: modelry-trainer has no such behaviour and accepts its default "
                f"{UNBUILT[name]!r} only; {instead}"
            )
