"""Outlines of COCO's annotations as masks, pixel by pixel as COCO's own tools draw them.

H, W height and width   https://cocodataset.org/#format-data
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from modelry.errors import PreprocessorError
from modelry.preprocessing.images.run_lengths import mask_of

FINER = 5
"""Borders are followed on a grid so many times finer than pixels."""


def outlined(shapes: Any, extent: tuple[int, int], name: str) -> np.ndarray:
    """The mask (H, W) uint8 of one object.

    Args:
        shapes: polygons [x, y, x, y, …] in pixels, whose union counts; or run lengths {"size", "counts"}.

    Raises:
        PreprocessorError: it is neither; names it.
    """
    if isinstance(shapes, Mapping):
        return mask_of(shapes, extent, name)
    if not isinstance(shapes, Sequence) or isinstance(shapes, str) or not shapes:
        raise PreprocessorError(f"{name} is {shapes!r:.60}; a list of polygons, or size and counts, is needed")
    masks = np.array([_filled(one, extent, name) for one in shapes])
    return np.asarray(masks.any(0), np.uint8)


def _filled(polygon: Any, extent: tuple[int, int], name: str) -> np.ndarray:
    """(H, W) bool. Each crossing of the border turns a column from outside to inside or back."""
    corners = np.asarray(polygon, np.float64)
    if corners.ndim != 1 or len(corners) < 6 or len(corners) % 2 or not np.isfinite(corners).all():
        raise PreprocessorError(f"{name} has the polygon {polygon!r:.60}; three or more x, y are needed")
    height, width = extent
    along, across = _border(np.trunc(FINER * corners.reshape(-1, 2) + 0.5).astype(np.int64))
    before, after = along[:-1], along[1:]
    turns = before != after
    column = (np.where(after < before, after, after - 1) + 0.5) / FINER - 0.5
    row = (np.minimum(across[:-1], across[1:]) + 0.5) / FINER - 0.5
    whole = turns & (np.floor(column) == column) & (column >= 0) & (column <= width - 1)
    starts = np.ceil(np.clip(row[whole], 0, height)).astype(np.int64) + column[whole].astype(np.int64) * height
    crossed = np.bincount(starts, minlength=height * width + 1)[: height * width]
    inside: np.ndarray = (np.cumsum(crossed) % 2).astype(bool).reshape(width, height).T
    return inside


def _border(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every point of the border, edge by edge, in steps of one along the longer side."""
    columns, rows = [], []
    for (x, y), (to_x, to_y) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        wide, high = abs(to_x - x), abs(to_y - y)
        flat = wide >= high
        back = (flat and x > to_x) or (not flat and y > to_y)  # always drawn the same way round
        if back:
            x, to_x, y, to_y = to_x, x, to_y, y
        steps = np.arange(max(wide, high) + 1)
        slope = ((to_y - y) / wide if flat else (to_x - x) / high) if len(steps) > 1 else 0.0
        other = np.trunc((y if flat else x) + slope * steps + 0.5).astype(np.int64)
        ours = (steps + x, other) if flat else (other, steps + y)
        columns.append(ours[0][::-1] if back else ours[0])
        rows.append(ours[1][::-1] if back else ours[1])
    return np.concatenate(columns), np.concatenate(rows)
