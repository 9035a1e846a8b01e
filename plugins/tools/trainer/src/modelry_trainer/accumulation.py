"""How much each part of a batch counts, so that accumulated gradients are those of the whole batch at once."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils._pytree import tree_map

from modelry.heads.decoder_lm import DecoderLM
from modelry.heads.losses import IGNORED
from modelry.model import PreTrainedModel


def unwrapped(model: nn.Module) -> nn.Module:
    """The model inside what sums the gradients of its copies (DDP) and inside an adapter's (PEFT), or itself."""
    if isinstance(model, DistributedDataParallel):
        model = model.module
    inner = getattr(model, "get_base_model", None)
    return inner() if callable(inner) else model


def forward_names(model: nn.Module) -> dict[str, Any]:
    """The arguments of forward; of a head of ours that hands the rest on to the head it is made from, of that too."""
    inner = unwrapped(model)
    names: dict[str, Any] = dict(inspect.signature(inner.forward).parameters)
    if isinstance(inner, PreTrainedModel):
        for kind in type(inner).__mro__:
            own = inspect.signature(kind.forward).parameters if "forward" in vars(kind) else {}  # type: ignore[attr-defined]
            if kind is PreTrainedModel or all(one.kind is not one.VAR_KEYWORD for one in names.values()):
                break
            names |= {name: one for name, one in own.items() if name not in names and name != "self"}
    return names


def takes_item_count(model: nn.Module) -> bool:
    """Whether forward divides its loss by `num_items_in_batch` where it is given."""
    said = getattr(unwrapped(model), "accepts_loss_kwargs", None)  # how models of the ecosystem say it
    named = "num_items_in_batch" in forward_names(model)
    return named if said is None else bool(said)


def shifts_labels(model: nn.Module) -> bool:
    """Whether the loss compares each position with the next one's label, so that the first label never counts."""
    parameters = forward_names(model)
    decodes_alone = isinstance(unwrapped(model), DecoderLM)  # to whom labels are given as they are to be written
    return "logits_to_keep" in parameters and "decoder_input_ids" not in parameters and not decodes_alone


@dataclass(frozen=True)
class Weighing:
    """What the loss of a batch is the mean, or the sum, of.

    Args:
        shifted: see `shifts_labels`.
        ignored: the label that does not count.
        rows: a mean over rows, however many labels each has (CTC).
        added: a sum over rows.
    """

    shifted: bool = False
    ignored: int = IGNORED
    rows: bool = False
    added: bool = False


def weighing_of(model: nn.Module, *, by_labels: bool = False) -> Weighing:
    """By what a model's own loss counts; `by_labels`: the loss is another one, which is told how many labels count."""
    inner = unwrapped(model)
    config: Any = getattr(inner, "config", None)
    speech = type(inner).__name__.endswith("ForCTC") and not by_labels
    reduction = getattr(config, "ctc_loss_reduction", None) if speech else None
    ignored = getattr(config, "semantic_loss_ignore_index", IGNORED)
    return Weighing(shifts_labels(model), ignored, rows=reduction is not None, added=reduction == "sum")


def counted(batch: Mapping[str, Any], weighing: Weighing, *, name: str = "labels") -> Tensor | int:
    """Labels that count in the loss of a batch; of a batch without a tensor of labels, its rows."""
    labels = batch.get(name)
    if isinstance(labels, Tensor) and labels.dim() > 0 and not weighing.rows:
        if labels.is_floating_point():
            return labels.numel()
        return (labels[..., 1:] if weighing.shifted and labels.dim() > 1 else labels).ne(weighing.ignored).sum()
    return rows_of(batch)


class ItemCount(Tensor):
    """A number that remembers whether anybody computed with it: a loss that did is divided by it."""

    plain: Tensor
    read: bool

    @classmethod
    def of(cls, count: Any) -> Any:
        """The same number; None is none."""
        if count is None:
            return None
        plain = torch.as_tensor(count)
        made = plain.as_subclass(cls)
        made.plain, made.read = plain, False
        return made

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*tree_map(_read, args), **tree_map(_read, kwargs or {}))


def _read(one: Any) -> Any:
    if not isinstance(one, ItemCount):
        return one
    one.read = True
    return one.plain


def plain_count(count: Any) -> Any:
    """It as a plain tensor, without having computed with it; anything else as it is."""
    return count.plain if isinstance(count, ItemCount) else count


def rows_of(batch: Mapping[str, Any]) -> int:
    """Rows of a batch: the first axis of its first tensor."""
    return next((value.shape[0] for value in batch.values() if isinstance(value, Tensor) and value.dim()), 1)


def divided(batch: Mapping[str, Any], parts: int) -> list[dict[str, Any]]:
    """The same rows as several smaller batches. What is not one value a row goes with each."""
    rows = rows_of(batch)
    size = -(-rows // parts)
    return [
        {name: _some(value, start, start + size, rows) for name, value in batch.items()}
        for start in range(0, rows, size)
    ]


def _some(value: Any, start: int, end: int, rows: int) -> Any:
    if isinstance(value, Tensor):
        return value[start:end] if value.dim() and value.shape[0] == rows else value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value[start:end] if len(value) == rows else value
    return value
