"""What a training will take, without loading a weight: steps, parameters, memory. On the meta device.

B rows of a step on one device
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from modelry.auto_model import model_class
from modelry.checkpoint.dtypes import as_dtype
from modelry.checkpoint.planning import make_plan
from modelry.checkpoint.skeleton import without_values
from modelry_trainer.collators.labels import IGNORED
from modelry_trainer.command.adapters import with_adapter
from modelry_trainer.command.kinds.token_rows import TokenRows
from modelry_trainer.command.preparation import Job, refuse_packs
from modelry_trainer.optimizers import kept_values
from modelry_trainer.outputs import to_device
from modelry_trainer.packing import PackedRows

_UNKNOWN = 2
"""Values that an optimizer keeps for each that learns, where it is not known: as Adam."""


@dataclass(frozen=True)
class Estimate:
    """Figures of a training before it begins."""

    model: str
    rows: int
    eval_rows: int | None
    batches_rows: int
    """Rows that the loader gives: packs, where rows are packed."""
    tokens: int | None
    learnt: int | None
    """Tokens that count in the loss."""
    longest: int | None
    processes: int
    steps: int
    epochs: float
    parameters: int
    trainable: int
    weight_bytes: int
    gradient_bytes: int
    optimizer_bytes: int
    activation_bytes: int | None
    """Of the longest rows; None where the model cannot be followed without values."""

    @property
    def bytes(self) -> int:
        """Everything that is known of."""
        return self.weight_bytes + self.gradient_bytes + self.optimizer_bytes + (self.activation_bytes or 0)


def estimate(job: Job) -> Estimate:
    """Figures from the settings, the rows and the headers of the model's files.

    Raises:
        ModelryError: the model or its adapter is impossible.
    """
    args, prepared = job.arguments, job.prepared
    model = _outline(job)
    weights = {id(one): one for one in model.parameters()}.values()
    learning = [one for one in weights if one.requires_grad]
    size = sum(one.nbytes for one in weights)
    if job.settings.model.quantization is not None:
        plan = make_plan(
            job.settings.model.ref,
            memory={torch.device("cpu"): 1 << 60},
            dtype=job.load_options["dtype"],
            quantization=job.settings.model.quantization,
            revision=job.settings.model.revision,
        )
        size = plan.size + sum(one.nbytes for one in learning)
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    steps, epochs = _steps(len(prepared.train), job, processes)
    gradients = sum(one.nbytes for one in learning)
    kept = kept_values(args.optim, args.optimizer_parameters)
    texts = prepared.train.dataset if isinstance(prepared.train, PackedRows) else prepared.train
    counted = isinstance(texts, TokenRows)
    has_labels = counted and isinstance(texts[0].get("labels"), list)
    return Estimate(
        model=type(model.get_base_model() if job.settings.peft is not None else model).__name__,
        rows=len(texts),
        eval_rows=None if job.tables[1] is None else len(job.tables[1]),
        batches_rows=len(prepared.train),
        tokens=texts.total("input_ids") if counted else None,
        learnt=texts.total("labels", lambda labels: labels != IGNORED) if has_labels else None,
        longest=int(texts.lengths().max()) if counted else None,
        processes=processes,
        steps=steps,
        epochs=epochs,
        parameters=sum(one.numel() for one in weights),
        trainable=sum(one.numel() for one in learning),
        weight_bytes=size,
        gradient_bytes=gradients,
        optimizer_bytes=gradients * (_UNKNOWN if kept is None else kept),
        activation_bytes=None if args.checkpoints_activations else _activations(job, model),
    )


def _outline(job: Job) -> Any:
    """The model without values."""
    from modelry import AutoConfig

    options = job.load_options
    which = {} if options.get("revision") is None else {"revision": options["revision"]}
    config = AutoConfig.from_pretrained(job.settings.model.ref, **which, **job.prepared.config)
    found = model_class(job.kind.head, config)
    refuse_packs(job, found)
    with without_values():
        model = found(config)
        model.cast_parameters(
            as_dtype(config.dtype if options["dtype"] == "auto" else options["dtype"]) or torch.float32
        )
        if options.get("attn_implementation") is not None:
            model.set_attn_implementation(options["attn_implementation"])
        return (
            model if job.settings.peft is None else with_adapter(model, job.settings.peft, task=job.kind.adapter_task)
        )


def _steps(rows: int, job: Job, processes: int) -> tuple[int, float]:
    args = job.arguments
    batches = rows / (args.per_device_train_batch_size * processes)
    an_epoch = max(math.floor(batches) if args.dataloader_drop_last else math.ceil(batches), 1)
    an_epoch = math.ceil(an_epoch / args.gradient_accumulation_steps)
    if args.max_steps > 0:
        return args.max_steps, args.max_steps / an_epoch
    return math.ceil(args.num_train_epochs * an_epoch), args.num_train_epochs


def _activations(job: Job, model: nn.Module) -> int | None:
    """Bytes that the longest B rows leave behind for the backward pass, each tensor once and without the weights."""
    rows = job.prepared.train
    most = [rows[number] for number in longest_rows(rows, job.arguments.per_device_train_batch_size)]
    weights = {one.untyped_storage()._cdata for one in (*model.parameters(), *model.buffers())}
    kept: dict[int, Any] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            kept[storage._cdata] = storage  # held, so that no other gets its number
        return tensor

    try:
        with torch.device("cpu"):
            batch = to_device(job.prepared.collator(model)(most), torch.device("meta"))
        for name in ("attention_mask", "position_ids"):  # models look into them
            batch.pop(name, None)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model.train()(**batch)
    except Exception:  # models may look at values, which are not there: then nobody knows
        return None
    return sum(int(storage.nbytes()) for storage in kept.values())


def longest_rows(rows: Any, count: int) -> Sequence[int]:
    """Numbers of the rows with the most tokens; of pictures the first."""
    if isinstance(rows, TokenRows):
        lengths = rows.lengths()
    elif isinstance(rows, PackedRows):
        each = rows.dataset.lengths()
        lengths = np.array([each[pack].sum() for pack in rows.packs])
    else:
        return range(min(count, len(rows)))
    return [int(number) for number in np.argsort(-lengths, kind="stable")[:count]]
