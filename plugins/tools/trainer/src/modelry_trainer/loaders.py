"""The loaders of a trainer: which collator, which columns, which order."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils.data import DataLoader

from modelry_trainer.columns import read_columns, without_unused
from modelry_trainer.errors import ArgumentsError
from modelry_trainer.feeding import BatchLoader, Collate, is_map_style, reading_options, row_lengths
from modelry_trainer.sampling import Dealing, EpochOrder

if TYPE_CHECKING:
    from modelry_trainer.trainer import Trainer

__all__ = ["chosen_rows", "default_collator", "evaluation_loader", "save_preprocessor", "training_loader"]


def default_collator(processing_class: Any) -> Collate:
    """Padding where the preprocessor can pad, else stacking, as in the ecosystem."""
    from modelry_trainer.collators import DataCollatorWithPadding, default_data_collator

    if hasattr(processing_class, "pad"):
        return DataCollatorWithPadding(processing_class)
    return default_data_collator


def training_loader(trainer: "Trainer", data: Any) -> Any:
    """Batches for learning.

    Raises:
        ArgumentsError: there is no data set, or it does not go with the arguments.
    """
    args = trainer.args
    if data is None:
        raise ArgumentsError("train() needs a train_dataset: give one to Trainer")
    order = None
    if is_map_style(data):
        if len(data) == 0:
            raise ArgumentsError("train_dataset has no rows")
        if hasattr(trainer, "_get_train_sampler"):
            return _by_own_sampler(trainer, data, "_get_train_sampler")
        grouped = args.train_sampling_strategy == "group_by_length"
        column, main = args.length_column_name, trainer.main_input_name
        order = EpochOrder(
            len(data),
            seed=args.order_seed,
            by_length=row_lengths(data, column=column, main_input=main) if grouped else None,
            batch_size=args.per_device_train_batch_size,
            shuffle=args.train_sampling_strategy != "sequential",
            drop_last=args.dataloader_drop_last,
            world_size=trainer.world.data_size,
            rank=trainer.world.data_rank,
        )
    elif args.train_sampling_strategy == "group_by_length":
        raise ArgumentsError(
            "train_sampling_strategy='group_by_length' needs rows by number: this data set is a stream"
        )
    dealing = Dealer(args.per_device_train_batch_size, trainer.world.data_size, trainer.world.data_rank)
    return _loader(trainer, data, "train data set", order, dealing)


@dataclass(frozen=True)
class Dealer:
    """To whom rows of a stream are dealt out."""

    batch_size: int
    world_size: int
    rank: int
    filled: bool = False


def evaluation_loader(trainer: "Trainer", data: Any, what: str) -> Any:
    """Batches in the order of the data set, every row once; dealt out to the processes, whole ones as far as they go,
    so that they are those of one process."""
    size, world = trainer.args.per_device_eval_batch_size, trainer.world
    order = None
    if is_map_style(data):
        if len(data) == 0:
            raise ArgumentsError(f"the {what} has no rows")
        if hasattr(trainer, "_get_eval_sampler"):
            return _by_own_sampler(trainer, data, "_get_eval_sampler")
        order = EpochOrder(
            len(data),
            seed=0,
            batch_size=size,
            shuffle=False,
            world_size=world.data_size,
            rank=world.data_rank,
            filled=True,
        )
    return _loader(trainer, data, what, order, Dealer(size, world.data_size, world.data_rank, filled=True))


def chosen_rows(own: Any, asked: Any) -> Any:
    """The data set to evaluate: the one asked for, one of the trainer's own by its name, or the trainer's own.

    Raises:
        ArgumentsError: there is none.
    """
    if isinstance(asked, str):
        if not isinstance(own, Mapping) or asked not in own:
            names = ", ".join(map(repr, own)) if isinstance(own, Mapping) else "no names"
            raise ArgumentsError(f"there is no eval_dataset {asked!r}: the trainer's eval_dataset has {names}")
        return own[asked]
    if own is None and asked is None:
        raise ArgumentsError("evaluate() needs an eval_dataset: give one to it or to Trainer")
    return own if asked is None else asked


def _loader(trainer: "Trainer", data: Any, what: str, order: EpochOrder | None, dealing: Dealing) -> BatchLoader:
    collate = _collator(trainer)
    return BatchLoader(data, collate, trainer.args, what=what, order=order, dealing=dealing, device=trainer.device)


def _by_own_sampler(trainer: Any, data: Any, name: str) -> DataLoader[Any]:
    """In the order of a subclass, as subclasses of the ecosystem say it.

    Args:
        name: "_get_train_sampler" or "_get_eval_sampler".
    """
    args, choose = trainer.args, getattr(trainer, name)
    learns = name == "_get_train_sampler"
    if trainer.world.data_size > 1:
        raise ArgumentsError(
            f"{name} chooses the rows of one process, and several train: override "
            f"{'get_train_dataloader' if learns else 'get_eval_dataloader'}"
        )
    return DataLoader(
        data,
        batch_size=args.per_device_train_batch_size if learns else args.per_device_eval_batch_size,
        sampler=choose(data) if inspect.signature(choose).parameters else choose(),
        collate_fn=_collator(trainer),
        drop_last=args.dataloader_drop_last and learns,
        **reading_options(args, trainer.device),
    )


def _collator(trainer: "Trainer") -> Collate:
    if not trainer.args.remove_unused_columns:
        return trainer.data_collator
    return without_unused(trainer.data_collator, read_columns(trainer.model, trainer.label_names))


def save_preprocessor(preprocessor: Any, folder: Path) -> None:
    """Write a tokenizer or processor beside the model, where there is one that can be written."""
    if hasattr(preprocessor, "save_pretrained"):
        preprocessor.save_pretrained(folder)
