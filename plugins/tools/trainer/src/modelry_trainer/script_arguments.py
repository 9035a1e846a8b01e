"""What scripts of the ecosystem ask of training arguments beside their fields: processes, levels, groups of fields."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Any, Self

from pydantic import BaseModel

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}


class ParallelMode(Enum):
    """Whether several processes train together."""

    NOT_PARALLEL = "not_parallel"
    DISTRIBUTED = "distributed"


class ScriptArguments(BaseModel):
    """Questions and groups; the fields are in `TrainingArguments`."""

    # Processes

    @property
    def device(self) -> Any:
        """Where this process computes: a torch.device."""
        from modelry_trainer.precision import training_device

        several = self._of("world_size") > 1
        found: Any = training_device(self, several=several)  # type: ignore[arg-type]  # which has the fields
        return type(found)(found.type, self._of("local_process_index")) if several and found.type != "cpu" else found

    @property
    def n_gpu(self) -> int:
        """GPUs of this process: one, or none."""
        return int(self.device.type != "cpu")

    @property
    def parallel_mode(self) -> ParallelMode:
        """Whether this process is one of several."""
        return ParallelMode.DISTRIBUTED if self._of("world_size") > 1 else ParallelMode.NOT_PARALLEL

    @property
    def should_log(self) -> bool:
        """Whether this process tells what happens."""
        return self._writes(each_node=self._of("log_on_each_node"))

    @property
    def should_save(self) -> bool:
        """Whether this process writes files."""
        return self._writes(each_node=self._of("save_on_each_node"))

    def get_process_log_level(self) -> int:
        """Of log_level, or of log_level_replica in processes that do not log; "passive" is the logger's own."""
        name = str(self._of("log_level" if self.should_log else "log_level_replica"))
        return _LEVELS.get(name, logging.getLogger("modelry_trainer").getEffectiveLevel())

    @contextmanager
    def main_process_first(self, local: bool = True, desc: str = "work") -> Iterator[None]:
        """The first process (of each machine) does the block before the others do."""
        import torch.distributed as dist

        first = (self._of("local_process_index") if local else self._of("process_index")) == 0
        several = dist.is_available() and dist.is_initialized() and self._of("world_size") > 1
        if several and not first:
            dist.barrier()
        try:
            yield
        finally:
            if several and first:
                dist.barrier()

    def to_sanitized_dict(self) -> dict[str, Any]:
        """Values that a table of parameters takes: what is no number, text or truth value, as text."""
        plain = (bool, int, float, str)
        values: dict[str, Any] = self._of("to_dict")()
        return {name: value if isinstance(value, plain) else str(value) for name, value in values.items()}

    # Groups of fields, by the ecosystem's names; each returns the arguments

    def set_training(
        self,
        learning_rate: float = 5e-5,
        batch_size: int = 8,
        weight_decay: float = 0.0,
        num_epochs: float = 3.0,
        max_steps: int = -1,
        gradient_accumulation_steps: int = 1,
        seed: int = 42,
        activation_checkpointing: bool = False,
        gradient_checkpointing: bool | None = None,
    ) -> Self:
        """What is trained, and how long."""
        saves = activation_checkpointing if gradient_checkpointing is None else gradient_checkpointing
        return self._with(
            do_train=True,
            learning_rate=learning_rate,
            per_device_train_batch_size=batch_size,
            weight_decay=weight_decay,
            num_train_epochs=num_epochs,
            max_steps=max_steps,
            gradient_accumulation_steps=gradient_accumulation_steps,
            seed=seed,
            gradient_checkpointing=saves,
            activation_checkpointing=saves,
        )

    def set_evaluate(
        self,
        strategy: str = "no",
        steps: int = 500,
        batch_size: int = 8,
        accumulation_steps: int | None = None,
        delay: float | None = None,
        loss_only: bool = False,
    ) -> Self:
        """When there are evaluations."""
        return self._with(
            do_eval=strategy != "no",
            eval_strategy=strategy,
            eval_steps=steps,
            per_device_eval_batch_size=batch_size,
            eval_accumulation_steps=accumulation_steps,
            eval_delay=delay or 0,
            prediction_loss_only=loss_only,
        )

    def set_testing(self, batch_size: int = 8, loss_only: bool = False) -> Self:
        """How predictions are made."""
        return self._with(do_predict=True, per_device_eval_batch_size=batch_size, prediction_loss_only=loss_only)

    def set_save(self, strategy: str = "steps", steps: int = 500, total_limit: int | None = None) -> Self:
        """When there are checkpoints."""
        return self._with(save_strategy=strategy, save_steps=steps, save_total_limit=total_limit)

    def set_logging(
        self,
        strategy: str = "steps",
        steps: int = 500,
        report_to: str | list[str] = "none",
        level: str = "passive",
        first_step: bool = False,
        nan_inf_filter: bool = False,
        on_each_node: bool = False,
        replica_level: str = "passive",
    ) -> Self:
        """When something is told, and to whom."""
        return self._with(
            logging_strategy=strategy,
            logging_steps=steps,
            report_to=report_to,
            log_level=level,
            logging_first_step=first_step,
            logging_nan_inf_filter=nan_inf_filter,
            log_on_each_node=on_each_node,
            log_level_replica=replica_level,
        )

    def set_optimizer(
        self,
        name: str = "adamw_torch",
        learning_rate: float = 5e-5,
        weight_decay: float = 0.0,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        args: str | None = None,
    ) -> Self:
        """The optimizer."""
        return self._with(
            optim=name,
            learning_rate=learning_rate,
            weight_decay=weight_decay,
            adam_beta1=beta1,
            adam_beta2=beta2,
            adam_epsilon=epsilon,
            optim_args=args,
        )

    def set_lr_scheduler(
        self, name: str = "linear", num_epochs: float = 3.0, max_steps: int = -1, warmup_steps: float = 0
    ) -> Self:
        """The schedule."""
        return self._with(
            lr_scheduler_type=name, num_train_epochs=num_epochs, max_steps=max_steps, warmup_steps=warmup_steps
        )

    def set_dataloader(
        self,
        train_batch_size: int = 8,
        eval_batch_size: int = 8,
        drop_last: bool = False,
        num_workers: int = 0,
        pin_memory: bool = True,
        persistent_workers: bool = False,
        prefetch_factor: int | None = None,
        auto_find_batch_size: bool = False,
        ignore_data_skip: bool = False,
        sampler_seed: int | None = None,
    ) -> Self:
        """How batches are read."""
        return self._with(
            per_device_train_batch_size=train_batch_size,
            per_device_eval_batch_size=eval_batch_size,
            dataloader_drop_last=drop_last,
            dataloader_num_workers=num_workers,
            dataloader_pin_memory=pin_memory,
            dataloader_persistent_workers=persistent_workers,
            dataloader_prefetch_factor=prefetch_factor,
            auto_find_batch_size=auto_find_batch_size,
            ignore_data_skip=ignore_data_skip,
            data_seed=sampler_seed,
        )

    def set_push_to_hub(
        self,
        model_id: str,
        strategy: str = "every_save",
        token: str | None = None,
        private_repo: bool | None = None,
        always_push: bool = False,
        revision: str | None = None,
    ) -> Self:
        """The repository of the model."""
        return self._with(
            push_to_hub=True,
            hub_model_id=model_id,
            hub_strategy=strategy,
            hub_token=token,
            hub_private_repo=private_repo,
            hub_always_push=always_push,
            hub_revision=revision,
        )

    # Inside

    def _of(self, name: str) -> Any:
        return getattr(self, name)

    def _writes(self, *, each_node: bool) -> bool:
        return bool(self._of("local_process_index" if each_node else "process_index") == 0)

    def _with(self, **changed: Any) -> Self:
        """The same object with other values, checked together as when it was made."""
        made = type(self)(**{**self.model_dump(exclude_unset=True), **changed})
        self.__dict__.update(made.__dict__)
        self.__pydantic_fields_set__.update(made.__pydantic_fields_set__)
        return self
