"""Arguments that the ecosystem names and nothing here reads: refused by name when they are set off their defaults."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from modelry_trainer.errors import ArgumentsError

UNBUILT: Mapping[str, Any] = MappingProxyType(
    {
        "optim_target_modules": None,
        "use_liger_kernel": False,
        "liger_kernel_config": None,
        "trackio_space_id": None,
        "trackio_bucket_id": None,
        "trackio_static_space_id": None,
        "eval_use_gather_object": False,
        "enable_jit_checkpoint": False,
        "accelerator_config": None,
        "deepspeed": None,
        "skip_memory_metrics": True,
        "sortish_sampler": False,
    }
)
"""Name to the ecosystem's default."""

_INSTEAD = {
    "deepspeed": "fsdp divides a model over processes too",
    "use_liger_kernel": "its kernels replace parts of another library's classes; torch_compile fuses ours",
    "skip_memory_metrics": "each line that is logged has memory_gb, the most memory taken so far",
    "sortish_sampler": "train_sampling_strategy='group_by_length' puts rows of similar length together",
    "liger_kernel_config": "leave it out, with use_liger_kernel",
    "optim_target_modules": "no optimizer here works on chosen modules; give Trainer optimizers, or optim='muon'",
    "accelerator_config": "its fields have names of their own here: gradient_accumulation_steps, dataloader_drop_last",
    "trackio_space_id": "set the environment variable TRACKIO_SPACE_ID",
    "trackio_bucket_id": "leave it out; TRACKIO_SPACE_ID names a place on the hub",
    "trackio_static_space_id": "call trackio.freeze after the training",
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
