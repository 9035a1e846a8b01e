"""The collator of rows that have one shape already: it stacks them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from modelry_trainer.collators.labels import values_tensor


class DefaultDataCollator:
    """Stacks every column; "label" and "label_ids" become "labels"; texts and empty columns are left out."""

    def __call__(self, features: Sequence[Any]) -> dict[str, Any]:
        """
        Args:
            features: mappings, or objects with attributes, with the same columns, each of one shape.
        """
        rows: list[Mapping[str, Any]] = [row if isinstance(row, Mapping) else vars(row) for row in features]
        batch: dict[str, Any] = {}
        for name in ("label", "label_ids"):
            if "labels" not in batch and rows[0].get(name) is not None:
                batch["labels"] = values_tensor([row[name] for row in rows])
        for name, first in rows[0].items():
            if name in ("label", "label_ids") or first is None or isinstance(first, str):
                continue
            column = [row[name] for row in rows]
            if isinstance(first, torch.Tensor):
                batch[name] = torch.stack(column)
            elif isinstance(first, np.ndarray):
                batch[name] = torch.from_numpy(np.stack(column))
            else:
                batch[name] = torch.tensor(column)
        return batch


default_data_collator = DefaultDataCollator()
"""The same as a function."""
