"""The collator of rows that have one shape already: it stacks them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from modelry.errors import ParameterError
from modelry_trainer.collators.labels import no_text, values_tensor


class DefaultDataCollator:
    """Stacks every column; "label" and "label_ids" become "labels"; texts and empty columns are left out."""

    def __call__(self, features: Sequence[Any]) -> dict[str, Any]:
        """
        Args:
            features: mappings, or objects with attributes, with the same columns, each of one shape.
        """
        rows = [_columns(row) for row in features]
        batch: dict[str, Any] = {}
        for name in ("label", "label_ids"):
            if "labels" not in batch and rows[0].get(name) is not None:
                batch["labels"] = values_tensor([row[name] for row in rows])
        for name, first in rows[0].items():
            if name == "labels" and isinstance(first, str):
                raise ParameterError(no_text(first))
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


def _columns(row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return row
    if hasattr(row, "__dict__"):
        columns: Mapping[str, Any] = vars(row)
        return columns
    raise ParameterError(f"a row is a {type(row).__name__}: rows are names of columns and their values")


default_data_collator = DefaultDataCollator()
"""The same as a function."""
