"""What a training is told: the ecosystem's names and defaults, checked when made. Plain data, no torch.

What may not stand together is in `contradictions`, what is named but not built in `unbuilt`.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from modelry_registry import get_registry
from modelry_trainer.contradictions import PLATEAU, refuse_contradictions, refuse_unknown
from modelry_trainer.distributed.environment import Launched, launched
from modelry_trainer.distributed.options import Sharding, sharding_of
from modelry_trainer.distributed.sizes import checked_config
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.script_arguments import ScriptArguments
from modelry_trainer.unbuilt import UNBUILT, refuse_unbuilt

Interval = Literal["no", "steps", "epoch"]
Level = Literal["debug", "info", "warning", "error", "critical", "passive"]


class TrainingArguments(ScriptArguments):
    """Everything about a training that is not the model, the data or code.

    Args:
        output_dir: where checkpoints, the report and the logs go; "trainer_output" when None.
        values: the fields below. One that is named by the ecosystem and not built here is refused by name.

    Raises:
        ArgumentsError: an unknown argument, an impossible value, two values that contradict each other.
        UnknownName, MissingPlugin, ...: nobody provides the optimizer or the schedule (see `Registry.provider`).
    """

    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)  # extra: what UNBUILT names, at its default

    output_dir: str = "trainer_output"
    do_train: bool = False
    do_eval: bool = False
    do_predict: bool = False

    # How long, in which batches
    per_device_train_batch_size: int = Field(8, gt=0)
    per_device_eval_batch_size: int = Field(8, gt=0)
    auto_find_batch_size: bool = False
    """Where memory runs out, the step is done again in parts of its batch, and later ones as well: the same rows in the
    same order and number of steps, as with so many gradient_accumulation_steps. A checkpoint keeps the parts."""
    gradient_accumulation_steps: int = Field(1, gt=0)
    num_train_epochs: float = Field(3.0, gt=0)
    max_steps: int = -1
    seed: int = Field(42, ge=-(2**63), lt=2**63)
    data_seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    full_determinism: bool = False

    # Optimizer and schedule
    optim: str = "adamw_torch_fused"
    optim_args: str | dict[str, Any] | None = None
    learning_rate: float = Field(5e-5, ge=0)
    weight_decay: float = Field(0.0, ge=0)
    adam_beta1: float = Field(0.9, ge=0, lt=1)
    adam_beta2: float = Field(0.999, ge=0, lt=1)
    adam_epsilon: float = Field(1e-8, ge=0)
    max_grad_norm: float = Field(1.0, ge=0, description="0 does not clip")
    lr_scheduler_type: str = "linear"
    lr_scheduler_kwargs: dict[str, Any] | str | None = None
    warmup_steps: float = Field(0, ge=0, description="below 1: a part of all steps")

    # The loss
    label_smoothing_factor: float = Field(0.0, ge=0, lt=1)
    label_names: list[str] | None = None
    neftune_noise_alpha: float | None = Field(None, ge=0)
    nan_loss: Literal["stop", "skip"] = "stop"
    """Our own: a loss that is no number ends the training, or its step is left out and counted."""

    # Precision, memory, speed
    use_cpu: bool = False
    bf16: bool = False
    fp16: bool = False
    bf16_full_eval: bool = False
    fp16_full_eval: bool = False
    tf32: bool | None = None
    activation_checkpointing: bool = False
    activation_checkpointing_kwargs: dict[str, Any] | None = None
    gradient_checkpointing: bool = False
    gradient_checkpointing_kwargs: dict[str, Any] | None = None
    torch_compile: bool = False
    torch_compile_backend: str | None = None
    torch_compile_mode: str | None = None
    torch_empty_cache_steps: int | None = Field(None, gt=0)
    use_cache: bool = False

    # Logs
    logging_strategy: Interval = "steps"
    logging_steps: float = Field(500, gt=0, description="below 1: a part of all steps; so are eval_ and save_steps")
    logging_first_step: bool = False
    include_num_input_tokens_seen: Literal["no", "all", "non_padding"] = "no"
    disable_tqdm: bool | None = None
    report_to: str | list[str] = Field("none", validate_default=True)
    run_name: str | None = None
    project: str = "huggingface"
    report_html: bool = True
    """Our own: write report.html into output_dir at the end."""
    log_level: Level = "passive"
    log_level_replica: Level = "warning"
    logging_nan_inf_filter: bool = Field(True, description="rows whose loss is no number are left out of eval_loss")
    debug: Literal["", "underflow_overflow"] = ""

    # Evaluation
    eval_strategy: Interval = "no"
    eval_steps: float | None = Field(None, gt=0)
    eval_delay: float = Field(0, ge=0)
    eval_on_start: bool = False
    eval_do_concat_batches: bool = True
    eval_accumulation_steps: int | None = Field(None, gt=0)
    prediction_loss_only: bool = False
    include_for_metrics: list[Literal["inputs", "loss"]] = Field([])
    batch_eval_metrics: bool = False

    # Checkpoints
    save_strategy: Literal["no", "steps", "epoch", "best"] = "steps"
    save_steps: float = Field(500, gt=0)
    save_total_limit: int | None = Field(None, gt=0)
    save_only_model: bool = False
    load_best_model_at_end: bool = False
    metric_for_best_model: str | None = None
    greater_is_better: bool | None = None
    resume_from_checkpoint: str | bool | None = None
    ignore_data_skip: bool = False
    restore_callback_states_from_checkpoint: bool = False

    # Data
    train_sampling_strategy: Literal["random", "sequential", "group_by_length"] = "random"
    length_column_name: str = "length"
    remove_unused_columns: bool = True
    dataloader_drop_last: bool = False
    dataloader_num_workers: int = Field(0, ge=0)
    dataloader_pin_memory: bool = True
    dataloader_persistent_workers: bool = False
    dataloader_prefetch_factor: int | None = Field(None, gt=0)
    dataloader_multiprocessing_context: Literal["fork", "spawn", "forkserver"] | None = Field(
        None, description='None: as Python does; from 3.14 on "forkserver" on Linux, for which the data set must pickle'
    )
    dataloader_in_order: bool = True

    # The hub
    push_to_hub: bool = False
    hub_model_id: str | None = None
    hub_strategy: Literal["end", "every_save", "checkpoint", "all_checkpoints"] = "every_save"
    hub_token: str | None = Field(None, repr=False)
    hub_private_repo: bool | None = None
    hub_always_push: bool = False
    hub_revision: str | None = None

    # Several processes, started by torchrun
    local_rank: int = Field(-1, description="what torchrun says; another number than its LOCAL_RANK is refused")
    average_tokens_across_devices: bool = True
    ddp_backend: Literal["nccl", "gloo"] | None = None
    ddp_timeout: int = Field(1800, gt=0, description="seconds that a process waits for the others")
    ddp_find_unused_parameters: bool | None = None
    ddp_bucket_cap_mb: int | None = Field(None, gt=0)
    ddp_broadcast_buffers: bool | None = None
    ddp_static_graph: bool | None = None
    fsdp: bool | str | list[str] | None = None
    fsdp_config: dict[str, Any] | str | None = None
    parallelism_config: dict[str, int] | None = None
    log_on_each_node: bool = True
    save_on_each_node: bool = False

    def __init__(self, output_dir: str | Path | None = None, **values: Any) -> None:
        refuse_unknown(values, {*type(self).model_fields, *UNBUILT})
        refuse_unbuilt(values)
        if isinstance(output_dir, str | Path):
            values["output_dir"] = str(Path(output_dir).expanduser())
        elif output_dir is not None:
            raise ArgumentsError(f"output_dir is {output_dir!r}: write the name of a folder")
        built = {name: value for name, value in values.items() if name not in UNBUILT}
        try:
            super().__init__(**built)
        except ValidationError as error:
            raise ArgumentsError(_words(error)) from None
        needs = (("optimizers", self.optim), ("schedules", self.lr_scheduler_type))
        get_registry().require(needs, asked_by=type(self).__name__)  # by their names alone: nothing is imported

    @field_validator("report_to")
    @classmethod
    def _list_of_reporters(cls, value: str | list[str]) -> list[str]:
        names = [value] if isinstance(value, str) else value
        return [] if names == ["none"] else names

    @field_validator("include_num_input_tokens_seen", mode="before")
    @classmethod
    def _yes_means_all(cls, value: object) -> object:
        return {True: "all", False: "no"}[value] if isinstance(value, bool) else value

    @field_validator(
        "lr_scheduler_type",
        "optim",
        "eval_strategy",
        "save_strategy",
        "logging_strategy",
        "hub_strategy",
        mode="before",
    )
    @classmethod
    def _value_of_enumeration(cls, value: object) -> object:
        return getattr(value, "value", value)  # the ecosystem's scripts hand over members of its enumerations

    @field_validator("parallelism_config", mode="before")
    @classmethod
    def _sizes(cls, value: object) -> object:
        return checked_config(value)

    @field_validator("optim_args")
    @classmethod
    def _names_and_values(cls, value: Any) -> Any:
        if isinstance(value, str) and not all(name and text for name, text in _pairs(value)):
            raise ValueError(f"optim_args is {value!r}: write names and their values, as 'momentum=0.9, nesterov=true'")
        return value

    @field_validator("lr_scheduler_kwargs", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except ValueError:
            raise ValueError(f"lr_scheduler_kwargs is {value!r}: write a mapping, or one as JSON") from None

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        refuse_contradictions(self)
        values = self.__dict__  # filled in, not assigned: what the user set stays what pydantic says was set
        values["gradient_checkpointing"] = values["activation_checkpointing"] = self.checkpoints_activations
        if self.eval_strategy == "steps" and self.eval_steps is None:
            values["eval_steps"] = self.logging_steps
        if self.metric_for_best_model is None and (
            self.load_best_model_at_end or self.save_strategy == "best" or self.lr_scheduler_type == PLATEAU
        ):
            values["metric_for_best_model"] = "loss"
        if self.greater_is_better is None and self.metric_for_best_model is not None:
            values["greater_is_better"] = not self.metric_for_best_model.endswith("loss")
        values["torch_compile"] = self.torch_compile or bool(self.torch_compile_mode or self.torch_compile_backend)
        values["do_eval"] = self.do_eval or self.eval_strategy != "no"
        return self

    def __getattr__(self, name: str) -> Any:
        """What is not built has its default: code of the ecosystem reads such fields too."""
        if name in UNBUILT:
            return UNBUILT[name]
        return super().__getattr__(name)  # type: ignore[misc]  # pydantic defines it at run time only

    @property
    def checkpoints_activations(self) -> bool:
        """Whether layers recompute their activations: both of the ecosystem's names for it."""
        return self.activation_checkpointing or self.gradient_checkpointing

    @property
    def checkpointing_options(self) -> dict[str, Any]:
        """Of torch.utils.checkpoint."""
        return dict(self.activation_checkpointing_kwargs or self.gradient_checkpointing_kwargs or {})

    @property
    def sharding(self) -> Sharding | None:
        """What `fsdp` and `fsdp_config` ask for; None where nothing is sharded."""
        return sharding_of(self.fsdp, self.fsdp_config)

    @property
    def world_size(self) -> int:
        """Processes that train together."""
        return (launched() or Launched()).size

    @property
    def process_index(self) -> int:
        """Which of them this is."""
        return (launched() or Launched()).rank

    @property
    def local_process_index(self) -> int:
        """Which of those of its machine this is."""
        return (launched() or Launched()).local_rank

    @property
    def optimizer_parameters(self) -> dict[str, Any]:
        """`optim_args` as a mapping: it may be written "momentum=0.9, nesterov=true, betas=(0.9, 0.99)"."""
        if not isinstance(self.optim_args, str):
            return dict(self.optim_args or {})
        return {name: _number(value) for name, value in _pairs(self.optim_args)}

    @property
    def adam_parameters(self) -> dict[str, Any]:
        """What optimizers of Adam's kind read of the fields."""
        return {"betas": (self.adam_beta1, self.adam_beta2), "eps": self.adam_epsilon}

    @property
    def train_batch_size(self) -> int:
        """Rows of one forward pass in training."""
        return self.per_device_train_batch_size

    @property
    def eval_batch_size(self) -> int:
        """Rows of one forward pass in evaluation."""
        return self.per_device_eval_batch_size

    @property
    def order_seed(self) -> int:
        """What the order of the rows is a function of."""
        return self.seed if self.data_seed is None else self.data_seed

    def get_warmup_steps(self, num_training_steps: int) -> int:
        """Steps of warm-up among so many."""
        return round_up(self.warmup_steps, num_training_steps) if self.warmup_steps < 1 else int(self.warmup_steps)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain data, without secrets."""
        values = self.model_dump(mode="json")
        return {**values, "hub_token": None if self.hub_token is None else "<HUB_TOKEN>"}

    def to_json_string(self) -> str:
        """The same as JSON text."""
        return json.dumps(self.to_dict(), indent=2)


def checked(args: Any) -> TrainingArguments:
    """What a trainer was given: checked again, for it may have been edited since it was made. None: all defaults.

    Raises:
        ArgumentsError: it is something else, or has come to contradict itself.
        UnknownName, MissingPlugin, ...: as when it was made.
    """
    if args is None:
        return TrainingArguments()
    if not isinstance(args, TrainingArguments):
        kind = f"{type(args).__module__}.{type(args).__qualname__}".removeprefix("builtins.")
        raise ArgumentsError(f"args is a {kind}: give Trainer a modelry.TrainingArguments, which has the same names")
    type(args)(**args.model_dump())
    return args


def round_up(part: float, whole: int) -> int:
    """How many steps a part of all steps is."""
    return -int(-part * whole // 1)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of "momentum=0.9, betas=(0.9, 0.99)"."""
    parts = (one.partition("=") for one in re.split(r",(?=\w+=)", text.replace(" ", "")) if one)
    return [(name, value) for name, _, value in parts]


def _number(text: str) -> object:
    try:
        value: object = json.loads(text.lower().replace("(", "[").replace(")", "]"))
    except ValueError:
        return text
    return tuple(value) if isinstance(value, list) else value


def _words(error: ValidationError) -> str:
    lines = []
    for one in error.errors():
        cause = one.get("ctx", {}).get("error")
        where = ".".join(map(str, one["loc"]))
        given: Mapping[str, Any] = one.get("ctx", {})
        if isinstance(cause, Exception):
            lines.append(str(cause))
        elif one["type"] == "literal_error":
            lines.append(f"{where} is {one['input']!r}: write {given['expected']}")
        else:
            lines.append(f"{where} is {one['input']!r}: {one['msg'].lower()}")
    return "; ".join(lines)
