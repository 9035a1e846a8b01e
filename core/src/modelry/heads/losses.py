"""Losses as the ecosystem defines them, so that training scripts carry over. All run in float32.

B batch   T positions   V vocabulary   C labels   -100 marks a position that does not count.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORED = -100


def cross_entropy(
    scores: Tensor, labels: Tensor, *, num_items_in_batch: Tensor | int | None = None, ignored: int = IGNORED
) -> Tensor:
    """Mean cross entropy over the labels that count, or their sum over `num_items_in_batch`.

    Args:
        scores: (N, C).
        labels: (N,) int64.
        num_items_in_batch: labels that count in all parts of a batch whose gradients are accumulated.

    Raises:
        ValueError: a label is outside 0 to C - 1 (looked at on the CPU only; a GPU's own check ends the process).
    """
    labels = labels.to(scores.device)
    refuse_outside(labels, count=scores.shape[-1], ignored=ignored)
    if num_items_in_batch is None:
        return F.cross_entropy(scores.float(), labels, ignore_index=ignored)
    total = F.cross_entropy(scores.float(), labels, ignore_index=ignored, reduction="sum")
    if isinstance(num_items_in_batch, Tensor):
        num_items_in_batch = num_items_in_batch.to(total.device)
    return total / num_items_in_batch


def refuse_outside(labels: Tensor, *, count: int, ignored: int = IGNORED) -> None:
    """Refuse labels outside 0 to count - 1. Labels of a GPU are not looked at: that would wait for it.

    Raises:
        ValueError: there is one, and it is not `ignored`.
    """
    if not labels.is_cpu or torch.compiler.is_compiling():
        return
    wrong = labels[((labels < 0) | (labels >= count)) & (labels != ignored)]
    if wrong.numel():
        raise ValueError(
            f"a label is {int(wrong[0])}: with {count} classes labels are 0 to {count - 1}, or {ignored} where one "
            "does not count"
        )


def next_token_loss(logits: Tensor, labels: Tensor, *, num_items_in_batch: Tensor | int | None = None) -> Tensor:
    """Cross entropy of each position's scores with the label of the next position.

    Args:
        logits: (B, T, V).
        labels: (B, T), usually input_ids with padding and prompt at -100; they are shifted here.

    Raises:
        ValueError: labels are not (B, T): logits_to_keep does not go with labels.
    """
    shifted = shifted_labels(labels, logits.shape[:-1])
    return cross_entropy(logits.flatten(0, 1), shifted.flatten(), num_items_in_batch=num_items_in_batch)


def shifted_labels(labels: Tensor, positions: torch.Size) -> Tensor:
    """The next position's label at each position, (B, T); the last has none.

    Args:
        labels: (B, T).
        positions: the shape that labels must have.

    Raises:
        ValueError: they have another.
    """
    if labels.shape != positions:
        raise ValueError(
            f"labels have shape {tuple(labels.shape)}, and there are scores of {tuple(positions)} positions: give one "
            "label for each, and no logits_to_keep"
        )
    return F.pad(labels, (0, 1), value=IGNORED)[:, 1:]


def classification_loss(logits: Tensor, labels: Tensor, *, problem_type: str | None) -> Tensor:
    """The loss of labels of a whole input.

    Args:
        logits: (B, C).
        labels: (B,) int64 for "single_label_classification"; (B,) or (B, C) float for "regression"; (B, C) float for
            "multi_label_classification".
        problem_type: one of these three; when None, regression for C = 1, else by the dtype of the labels.

    Raises:
        ValueError: problem_type is another word, or a label is outside what it may be.
    """
    count = logits.shape[-1]
    labels = labels.to(logits.device)
    if problem_type is None:
        whole = labels.dtype in (torch.long, torch.int)
        problem_type = "single_label_classification" if whole else "multi_label_classification"
        problem_type = "regression" if count == 1 else problem_type
    if problem_type == "regression":
        return F.mse_loss(logits.float().view(labels.shape), labels.float())
    if problem_type == "single_label_classification":
        return cross_entropy(logits, labels.view(-1))
    if problem_type == "multi_label_classification":
        if labels.shape != logits.shape:
            raise ValueError(
                f"labels are {str(labels.dtype).removeprefix('torch.')} of shape {tuple(labels.shape)}, and for "
                f"{count} classes of which several may hold they must be {tuple(logits.shape)}: whole numbers name "
                "one class each, and num_labels=1 or problem_type='regression' is for measures"
            )
        _refuse_no_shares(labels)
        return F.binary_cross_entropy_with_logits(logits.float(), labels.float())
    raise ValueError(
        f"problem_type is {problem_type!r}: it must be 'regression', 'single_label_classification' or "
        "'multi_label_classification'"
    )


def _refuse_no_shares(labels: Tensor) -> None:
    if not labels.is_cpu or torch.compiler.is_compiling():
        return
    wrong = labels[~((labels >= 0) & (labels <= 1))]  # NaN is neither
    if wrong.numel():
        raise ValueError(f"a label is {float(wrong[0]):g}: where several classes may be right, labels are from 0 to 1")


def span_loss(start_logits: Tensor, end_logits: Tensor, starts: Tensor, ends: Tensor) -> Tensor:
    """Mean of the cross entropies of an answer's first and last position. Positions outside the text do not count.

    Args:
        start_logits: (B, T).
        end_logits: (B, T).
        starts: (B,) or (B, 1) int64.
        ends: (B,) or (B, 1) int64.
    """
    outside = start_logits.shape[1]
    starts, ends = (one.view(-1).clamp(0, outside) for one in (starts, ends))
    return (cross_entropy(start_logits, starts, ignored=outside) + cross_entropy(end_logits, ends, ignored=outside)) / 2


def semantic_loss(logits: Tensor, labels: Tensor, *, ignored: int) -> Tensor:
    """The loss of a class for each pixel; scores are brought to the labels' size first.

    Args:
        logits: (B, C, G, K).
        labels: (B, H, W) int64, from 0 to C - 1; with C = 1, 0 and 1.
        ignored: a pixel of this class does not count.

    Returns:
        The mean cross entropy; with C = 1 that of a yes or no, over all pixels.

    Raises:
        ValueError: a label is none of these; with C = 1 those below 0 do not count.
    """
    large = F.interpolate(logits.float(), size=labels.shape[-2:], mode="bilinear", align_corners=False)
    labels = labels.to(logits.device)
    if logits.shape[1] > 1:
        refuse_outside(labels, count=logits.shape[1], ignored=ignored)
        return F.cross_entropy(large, labels, ignore_index=ignored)
    refuse_outside(labels.clamp(min=0), count=2, ignored=ignored)
    counts = (labels >= 0) & (labels != ignored)
    apart = F.binary_cross_entropy_with_logits(large.squeeze(1), labels.float(), reduction="none")
    return (apart * counts).mean()


def dice_loss(scores: Tensor, masks: Tensor, *, count: Tensor | float) -> Tensor:
    """How little found and true masks overlap. Milletari et al. 2016, https://arxiv.org/abs/1606.04797.

    Args:
        scores: (N, P), of P places of each of N masks.
        masks: (N, P), 0 and 1.
        count: what the sum over masks is divided by.
    """
    found = scores.float().sigmoid()
    overlap = 2 * (found * masks).sum(-1)
    return (1 - (overlap + 1) / (found.sum(-1) + masks.sum(-1) + 1)).sum() / count
