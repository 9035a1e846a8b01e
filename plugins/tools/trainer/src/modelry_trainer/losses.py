"""Label smoothing. Szegedy et al. 2016, https://arxiv.org/abs/1512.00567.

N positions   C classes
"""

from typing import Any

from torch import Tensor
from torch.nn import functional as F

from modelry.heads.losses import IGNORED
from modelry_trainer.errors import ArgumentsError


def scores_of(outputs: Any, *, labelled: bool) -> Tensor:
    """The scores of classes among what a model returned: named "logits", or by their place.

    Args:
        labelled: the model was given the labels, so that where it returns a tuple its own loss comes first.

    Raises:
        ArgumentsError: there are none.
    """
    found: Any = outputs
    if hasattr(outputs, "keys"):
        found = outputs["logits"] if "logits" in outputs.keys() else None  # noqa: SIM118  our outputs are no mappings
    elif isinstance(outputs, tuple | list):
        found = outputs[labelled] if len(outputs) > labelled else None
    if isinstance(found, Tensor):
        return found
    names = f" of {', '.join(outputs.keys())}" if hasattr(outputs, "keys") else ""
    raise ArgumentsError(
        f"label_smoothing_factor is given, and the model returns a {type(outputs).__name__}{names} in which no tensor "
        "is 'logits': it smooths one class for each score of classes; leave it out"
    )


def smoothed_cross_entropy(
    logits: Tensor,
    labels: Tensor,
    *,
    smoothing: float,
    shifted: bool,
    num_items_in_batch: Tensor | int | None = None,
) -> Tensor:
    """Cross entropy with the part `smoothing` of each target spread evenly over all classes. Runs in float32.

    Args:
        logits: (..., C).
        labels: (...) int64; -100 does not count.
        smoothing: in [0, 1).
        shifted: compare each position with the next one's label.
        num_items_in_batch: labels that count in all parts of the batch; the mean over these ones when None.

    Raises:
        ArgumentsError: labels are no classes, or not one for each place.
    """
    if labels.is_floating_point() or logits.shape[:-1] != labels.shape:
        raise ArgumentsError(
            f"label_smoothing_factor is {smoothing:g}, and labels are {str(labels.dtype).removeprefix('torch.')} of "
            f"shape {tuple(labels.shape)} for scores of {tuple(logits.shape)}: it smooths one class for each score of "
            "classes; leave it out"
        )
    if shifted:
        logits, labels = logits[..., :-1, :], labels[..., 1:]
    flat, wanted = logits.flatten(0, -2).float(), labels.flatten()
    reduction = "mean" if num_items_in_batch is None else "sum"
    loss = F.cross_entropy(flat, wanted, ignore_index=IGNORED, reduction=reduction, label_smoothing=smoothing)
    if num_items_in_batch is None:
        return loss
    return loss / num_items_in_batch
