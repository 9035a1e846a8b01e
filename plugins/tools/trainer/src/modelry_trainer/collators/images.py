"""The collator of pictures: an image processor makes the batch, or stacks what it made before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from modelry.errors import ParameterError
from modelry.preprocessing import ImageProcessor
from modelry_trainer.collators.labels import Row, label_name, values_tensor


@dataclass
class DataCollatorForImages:
    """Prepares pictures and their labels.

    Args:
        image_processor: of the model.
        image_column: pictures, as the processor takes them (PIL, arrays, paths, ...).
        map_column: where rows have it, a class for each pixel.
        annotations_column: where rows have it, things in the picture, for detectors.
    """

    image_processor: ImageProcessor
    image_column: str = "image"
    map_column: str = "segmentation_map"
    annotations_column: str = "annotations"

    def __call__(self, features: Sequence[Row]) -> dict[str, Any]:
        """Rows with pictures, or with "pixel_values", to "pixel_values" (rows, channels, height, width) and "labels".

        Raises:
            ParameterError: a row has neither.
        """
        batch = self._pictures(features)
        name = label_name(features)
        if name is not None and "labels" not in batch:
            batch["labels"] = values_tensor([row[name] for row in features])
        return batch

    @property
    def columns(self) -> frozenset[str]:
        """Columns that it reads, and no model."""
        return frozenset({self.image_column, self.map_column, self.annotations_column})

    def _pictures(self, rows: Sequence[Row]) -> dict[str, Any]:
        if all("pixel_values" in row for row in rows):
            return {"pixel_values": torch.stack([torch.as_tensor(row["pixel_values"]) for row in rows])}
        for number, row in enumerate(rows):
            if self.image_column not in row:
                raise ParameterError(
                    f"row {number} of the batch has no {self.image_column!r} and no 'pixel_values'; "
                    f"it has {', '.join(row)}"
                )
        more: dict[str, Any] = {}
        for argument, column in (("segmentation_maps", self.map_column), ("annotations", self.annotations_column)):
            if column in rows[0]:
                more[argument] = [row[column] for row in rows]
        return dict(self.image_processor([row[self.image_column] for row in rows], return_tensors="pt", **more))
