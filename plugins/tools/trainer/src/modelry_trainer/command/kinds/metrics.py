"""What an evaluation says beside the loss.

R rows   T positions   C classes
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor

from modelry.heads.losses import IGNORED


def likeliest(logits: Any, labels: Any) -> Tensor:
    """Of scores (..., C) the number of the highest: all that is kept of them for a whole data set."""
    scores: Tensor = logits[0] if isinstance(logits, tuple) else logits
    return scores.argmax(-1)


def accuracy(found: Any) -> Mapping[str, float]:
    """How many labels are right, and the mean over the classes of what F1 each of them has."""
    labels = np.asarray(found.label_ids).ravel()
    counted = labels != IGNORED
    labels, said = labels[counted], np.asarray(found.predictions).ravel()[counted]
    scores = []
    for one in np.unique(labels):
        right = np.sum((said == one) & (labels == one))
        scores.append(2 * right / (np.sum(said == one) + np.sum(labels == one)))
    return {"accuracy": float((said == labels).mean()), "f1": float(np.mean(scores))}


def several_labels(found: Any) -> Mapping[str, float]:
    """Of scores (R, C) for labels that may stand together: rows that are all right, and F1 over all labels."""
    said, labels = np.asarray(_first(found.predictions)) > 0, np.asarray(found.label_ids) > 0.5
    right = np.sum(said & labels)
    f1 = 2 * right / max(said.sum() + labels.sum(), 1)
    return {"accuracy": float((said == labels).all(-1).mean()), "f1": float(f1)}


def distances(found: Any) -> Mapping[str, float]:
    """Of numbers: how far off they are."""
    off = np.asarray(_first(found.predictions)).ravel() - np.asarray(found.label_ids).ravel()
    return {"mse": float(np.mean(off**2)), "mae": float(np.mean(np.abs(off)))}


def exact_texts(tokenizer: Any) -> Callable[[Any], Mapping[str, float]]:
    """How many texts that the model writes are the right ones, letter by letter."""

    def metrics(found: Any) -> Mapping[str, float]:
        padding = tokenizer.pad_token_id
        written, wanted = (
            tokenizer.batch_decode(np.where(ids == IGNORED, padding, ids), skip_special_tokens=True)
            for ids in (np.asarray(found.predictions), np.asarray(found.label_ids))
        )
        same = [one.strip() == other.strip() for one, other in zip(written, wanted, strict=True)]
        return {"exact_match": float(np.mean(same))}

    return metrics


def _first(predictions: Any) -> Any:
    return predictions[0] if isinstance(predictions, tuple) else predictions
